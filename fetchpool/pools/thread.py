"""The thread pool: the standard library's executor, a transport of its own for every thread."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from fetchpool.errors import PoolClosedError
from fetchpool.exchange import Exchange
from fetchpool.model import FetchOptions, FetchRequest, Outcome
from fetchpool.pools.worker import Worker

STACK = 512 * 1024
"""Bytes of address space for a worker's stack: libcurl with TLS needs a tenth of it, and two thousand of
the usual 8 MB would be 16 GB. A person's own parser may recurse as deep as it could elsewhere."""


class ThreadPool:
    """`workers` threads, each started when there is something for it to do."""

    def __init__(self, workers: int, options: FetchOptions) -> None:
        """Raises `UsageError` when a parser or the transport can't be loaded."""
        self.workers = workers
        self._options = options
        self._closed = self._aborted = False
        self._submitted = 0
        self._local = threading.local()
        self._lock = threading.Lock()
        self._exchange = Exchange(options)
        self._opened: list[Worker] = [self._new_worker()]  # the first one shows that it can be done
        self._spare = list(self._opened)
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="fetchpool")

    def submit(self, request: FetchRequest) -> Future[Outcome]:
        if self._closed:
            raise PoolClosedError("the pool was shut down; open another one")
        if self._submitted >= self.workers:
            return self._executor.submit(self._fetch, request)
        self._submitted += 1  # each of the first few may start a thread
        before = threading.stack_size(STACK if not self._options.parse else 0)
        try:
            return self._executor.submit(self._fetch, request)
        finally:
            threading.stack_size(before)

    @property
    def window(self) -> int:
        return self.workers

    def recall(self) -> None:
        """Nothing to do: what is submitted within the window begins."""

    def shutdown(self, *, abort: bool = False) -> None:
        self._closed = True
        if abort:
            self._executor.shutdown(wait=False, cancel_futures=True)
            with self._lock:
                self._aborted = True
                for worker in self._opened:
                    worker.abort()
        self._executor.shutdown(wait=True)
        for worker in self._opened:
            worker.close()
        self._opened.clear()

    def _fetch(self, request: FetchRequest) -> Outcome:
        worker: Worker | None = getattr(self._local, "worker", None)
        if worker is None:
            worker = self._local.worker = self._worker()
        return worker.fetch(request)

    def _worker(self) -> Worker:
        with self._lock:
            if self._spare:
                return self._spare.pop()
        worker = self._new_worker()
        with self._lock:
            self._opened.append(worker)
            if self._aborted:
                worker.abort()
        return worker

    def _new_worker(self) -> Worker:
        return Worker(self._options, self._exchange)

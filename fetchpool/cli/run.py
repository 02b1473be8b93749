"""`fetchpool [OPTIONS] [INPUT]...`: the command that is meant when none is named.

In: flags as typed. Out: an exit code. It only says which flag is which option: `config` checks them,
`session` does the rest.
"""

from __future__ import annotations

import sys

import typer

from fetchpool.cli import fetch_options, options
from fetchpool.cli.display import DisplayOptions
from fetchpool.cli.errors import print_error
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.config.config import configure
from fetchpool.model.errors import UsageError


def run(
    ctx: typer.Context,
    inputs: options.Inputs = None,
    url_column: options.UrlColumn = None,
    keep_columns: options.KeepColumns = False,
    refresh: options.Refresh = None,
    workers: fetch_options.Workers = "10",
    max_workers: fetch_options.MaxWorkers = None,
    executor: fetch_options.Executor = "thread",
    per_host: fetch_options.PerHost = "10",
    host_delay: fetch_options.HostDelay = "0",
    rate: fetch_options.Rate = "0",
    retry_after_max: fetch_options.RetryAfterMax = "5m",
    robots: fetch_options.Robots = False,
    max_runtime: fetch_options.MaxRuntime = "0",
    public_only: fetch_options.PublicOnly = False,
    allow_private: fetch_options.AllowPrivate = False,
    dry_run: fetch_options.DryRun = False,
    transport: fetch_options.Transport = "curl",
    outputs: options.Outputs = None,
    format: options.Format = None,
    parse: options.Parse = None,
    parse_timeout: options.ParseTimeout = None,
    hash: options.Hash = None,
    save: options.Save = None,
    warc: options.Warc = None,
    warc_max_size: options.WarcMaxSize = "1G",
    resume: options.Resume = False,
    retry_failed: options.RetryFailed = None,
    no_dedupe: options.NoDedupe = False,
    seen_memory: options.SeenMemory = "1G",
    retry: fetch_options.Retry = "2",
    retry_delay: fetch_options.RetryDelay = "1s",
    retry_max_time: fetch_options.RetryMaxTime = "0",
    connect_timeout: fetch_options.ConnectTimeout = "10s",
    read_timeout: fetch_options.ReadTimeout = "30s",
    max_time: fetch_options.MaxTime = "5m",
    max_filesize: fetch_options.MaxFilesize = "1G",
    max_redirs: fetch_options.MaxRedirs = "10",
    method: fetch_options.Method = "GET",
    head: fetch_options.Head = False,
    header: fetch_options.Header = None,
    user_agent: fetch_options.UserAgent = fetch_options.USER_AGENT,
    user: fetch_options.User = None,
    proxy: fetch_options.Proxy = None,
    resolve: fetch_options.Resolve = None,
    dns_servers: fetch_options.DnsServers = None,
    cacert: fetch_options.Cacert = None,
    insecure: fetch_options.Insecure = False,
    http1: fetch_options.Http1 = False,
    http2: fetch_options.Http2 = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    no_progress: options.NoProgress = False,
    version: options.Version = False,  # noqa: ARG001 - its callback has shown it and ended
) -> int:
    """Fetch every URL of the INPUT and append one honest row for each to the output.

    TIME is seconds, or 500ms, 10s, 2m, 1h, 1d; SIZE is bytes, or 512k, 10M, 1G (1M is 1048576 bytes).
    """
    if not inputs and refresh is None:
        if sys.stdin.isatty():
            typer.echo(ctx.get_help(), err=True)
            print_error("nothing to read: name a file, pipe a list in, or try: fetchpool demo")
            return ExitCode.USAGE
        inputs = ["-"]
    if http1 and http2:
        raise UsageError("--http1.1 and --http2 contradict each other; leave one out")
    if head and method.upper() not in ("GET", "HEAD"):
        raise UsageError(f"--head and --method {method} contradict each other; leave one out")
    config = configure(
        inputs or (),
        url_column=url_column,
        keep_columns=keep_columns,
        refresh=refresh,
        outputs=outputs or [options.DEFAULT_OUTPUT],
        format=format,
        workers=workers,
        max_workers=max_workers,
        executor=executor,
        per_host=per_host,
        host_delay=host_delay,
        rate=rate,
        retry_after_max=retry_after_max,
        robots=robots,
        max_runtime=max_runtime,
        public_only=public_only,
        allow_private=allow_private,
        resolve=resolve or (),
        dns_servers=dns_servers,
        retry=retry,
        retry_delay=retry_delay,
        retry_max_time=retry_max_time,
        transport=transport,
        method="HEAD" if head else method,
        headers=header or (),
        user_agent=user_agent,
        user=user,
        proxy=proxy,
        cacert=cacert,
        insecure=insecure,
        http_version="1.1" if http1 else "2" if http2 else "",
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        max_time=max_time,
        max_filesize=max_filesize,
        max_redirs=max_redirs,
        parse=parse or (),
        parse_timeout=parse_timeout,
        resume=resume,
        retry_failed=retry_failed,
        dedupe=not no_dedupe,
        seen_memory=seen_memory,
        hash=hash,
        save=save,
        warc=warc,
        warc_max_size=warc_max_size,
    )
    if dry_run:
        from fetchpool.cli.dry_run import dry_run as say

        return say(config)
    display = DisplayOptions(quiet=quiet, verbose=verbose, no_progress=no_progress)
    from fetchpool.cli.session import hold

    ended = hold(config, display)
    if ended.failure is not None:
        print_error(ended.failure)
    return ended.code

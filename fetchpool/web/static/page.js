// The page of a run. It asks for the newest snapshot once a second and writes it into the same nodes, however long
// the run or its list is. Text from servers is only ever set as textContent.

const SECOND = 1000;
const TAB = Math.random().toString(36).slice(2);
const KINDS = 12, HOSTS = 10, SLOWEST = 5, EVENTS = 8, CAUSES = 7;
const CAUSE = {
  workers: "workers", host_limit: "hosts' limit", rate_limit: "rate limit", backoff: "hosts backing off",
  retries: "retries", proxy: "the proxy", dns: "DNS lookups", source: "the input", output: "reader of the rows",
  ending: "the last requests", stopping: "stopping", paused: "paused",
};
const WAIT = {
  pause: "asked to wait", backoff: "backs off", no_response: "does not respond", delay: "delay", retry: "retry",
  proxy: "proxy", dns: "DNS lookup", robots: "robots.txt",
};

const $ = (id) => document.getElementById(id);
const text = (node, value) => { if (node.textContent !== value) node.textContent = value; };
const show = (node, visible) => { if (node.hidden === visible) node.hidden = !visible; };

// Numbers, written as in the terminal.
const grouped = new Intl.NumberFormat("en");
const count = (number) => grouped.format(Math.round(number));
const rate = (number) => (number && number < 9.95 ? number.toFixed(1) : count(number));
const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
const percent = (share) => (share > 0 && share < 0.01 ? "<1 %" : `${Math.floor(share * 100 + 1e-9)} %`);

function size(octets) {
  if (octets < 999.5) return `${Math.round(octets)} B`;
  for (const unit of ["kB", "MB", "GB", "TB"]) {
    octets /= 1000;
    if (octets < 999.5) return `${octets < 99.95 ? octets.toFixed(1) : Math.round(octets)} ${unit}`;
  }
  return `${count(octets)} TB`;
}

function duration(seconds) {
  if (seconds < 0.00005) return "0 s";
  if (seconds < 0.00995) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const rounded = Math.round(seconds), two = (number) => String(number).padStart(2, "0");
  if (rounded < 60) return `${rounded} s`;
  if (rounded < 3600) return `${Math.floor(rounded / 60)} min ${two(rounded % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

function total(snapshot) {
  if (snapshot.total === null) return "";
  if (snapshot.total_exact) return count(snapshot.total);
  const digits = Math.max(String(snapshot.total).length - 3, 0);
  return `~${count(Math.round(snapshot.total / 10 ** digits) * 10 ** digits)}`;
}

const clock = (seconds) => new Date(seconds * 1000).toTimeString().slice(0, 8);

// Lists with a fixed number of rows, each with the same cells.
function rows(id, number, ...cells) {
  const list = $(id), made = [];
  for (let index = 0; index < number; index++) {
    const item = document.createElement("li"), row = { item };
    for (const cell of cells) {
      const [kind, name] = cell.split(".");
      row[name] = document.createElement(kind);
      row[name].className = name;
      item.append(row[name]);
    }
    item.hidden = true;
    list.append(item);
    made.push(row);
  }
  const empty = document.createElement("li");
  empty.className = "empty";
  list.append(empty);
  return (items, fill, nothing) => {
    made.forEach((row, index) => {
      show(row.item, index < items.length);
      if (index < items.length) fill(row, items[index]);
    });
    show(empty, !items.length);
    text(empty, nothing);
  };
}

function link(anchor, address) {
  text(anchor, address || "(empty URL)");
  anchor.title = address;
  if (/^https?:\/\//i.test(address)) {
    anchor.href = address;
    anchor.rel = "noreferrer noopener";
    anchor.target = "_blank";
  } else {
    anchor.removeAttribute("href");
  }
}

const failureRows = rows("failures", KINDS, "span.number", "span.kind", "span.meter", "a.example");
for (const meter of document.querySelectorAll("#failures .meter")) meter.append(document.createElement("i"));
const hostRows = rows("hosts", HOSTS, "span.host", "span.note");
const slowestRows = rows("slowest", SLOWEST, "span.when", "a.example");
const eventRows = rows("events", EVENTS, "span.when", "span.line");
const shareRows = rows("shares", CAUSES, "span.line");
const strip = [], spread = [];
for (let index = 0; index < CAUSES; index++) {
  strip.push($("strip").appendChild(document.createElement("i")));
  strip[index].className = `k${index + 1}`;
  $("shares").children[index].className = `k${index + 1}`;
}

// The charts.
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const columns = { t: [], ok: [], failed: [], p50: [], p95: [], in_flight: [], allowed: [] };
const charts = [];
const elapsedTicks = (_plot, splits) => splits.map((seconds) => {
  if (seconds < 0) return "";
  const minutes = Math.floor(seconds / 60), rest = String(Math.round(seconds % 60)).padStart(2, "0");
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")} h`;
});
const INCREMENTS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

function chart(id, keys, colors, write, more = {}) {
  const holder = $(id);
  const axis = { stroke: style("muted"), font: `12px ${getComputedStyle(document.body).fontFamily}` };
  let plot = null;
  plot = new uPlot({
    width: holder.clientWidth, height: holder.clientHeight, legend: { show: false },
    cursor: { sync: { key: "run" }, y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: false }, y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, size: 26, incrs: INCREMENTS, grid: { show: false }, ticks: { show: false }, values: elapsedTicks },
      { ...axis, size: 58, space: 38, grid: { stroke: style("grid"), width: 1 }, ticks: { show: false },
        values: (_plot, splits) => splits.map(write) },
    ],
    series: [{}, ...keys.map((key, index) => ({
      stroke: style(colors[index]), width: 1.5, points: { show: () => columns.t.length < 2 },
      ...(more[key] ?? {}),
    }))],
    hooks: { setCursor: [() => charts.forEach((each) => each.plot === plot && legend(each))] },
  }, [columns.t, ...keys.map((key) => columns[key])], holder);
  charts.push({ plot, holder, keys, write });
}

// The legend has the values below the cursor, of all charts at once; without one those of the last complete point.
function legend({ plot, keys, write }, index = plot.cursor.idx) {
  const node = plot.root.closest("figure").querySelector(".legend"), last = Math.max(columns.t.length - 2, 0);
  const at = index ?? last;
  text(node.querySelector("time"), index === null || index === undefined ? "" : elapsedTicks(plot, [columns.t[at] ?? 0])[0]);
  node.querySelectorAll("b").forEach((value, place) => {
    const number = columns[keys[place]][at];
    text(value, number === null || number === undefined ? "–" : write(number));
  });
}

function makeCharts() {
  for (const { plot } of charts.splice(0)) plot.destroy();
  chart("plot-rate", ["ok", "failed"], ["ok", "failed"], rate, { ok: { fill: `${style("ok")}1f` } });
  chart("plot-time", ["p50", "p95"], ["p50", "p95"], duration);
  chart("plot-flight", ["in_flight", "allowed"], ["flight", "allowed"], count,
    { in_flight: { fill: `${style("flight")}1f` }, allowed: { dash: [5, 4] } });
}

function drawCharts() {
  for (const each of charts) {
    each.plot.setData([columns.t, ...each.keys.map((key) => columns[key])]);
    legend(each);
  }
}

let complete = 0, step = 0, held = [];
function takeSeries(series) {
  const names = Object.keys(columns);
  // The last point was not complete: it comes again. With another step all points come.
  const stays = series.step === step ? Math.max(columns.t.length - 1, 0) : 0;
  for (const name of names) columns[name] = [...columns[name].slice(0, stays), ...series[name]];
  held = [...held.slice(0, stays), ...series.t.map((_time, index) =>
    Object.fromEntries(Object.entries(series.held).map(([name, values]) => [name, values[index]])))];
  step = series.step;
  complete = series.complete;
}

function drawHeld() {
  const last = Math.max(1, Math.ceil(60 / step)), sums = {};
  for (const shares of held.slice(-last)) {
    for (const [name, value] of Object.entries(shares)) sums[name] = (sums[name] ?? 0) + value;
  }
  text($("held-when"), step <= 60 ? "last minute" : `last ${duration(step)}`);
  const all = Object.values(sums).reduce((sum, value) => sum + value, 0);
  const causes = Object.entries(sums).map(([name, value]) => [CAUSE[name] ?? name, all ? value / all : 0])
    .filter(([, share]) => share >= 0.005).sort((one, other) => other[1] - one[1]).slice(0, CAUSES);
  strip.forEach((part, index) => { part.style.width = `${(causes[index]?.[1] ?? 0) * 100}%`; });
  shareRows(causes, (row, [name, share]) => text(row.line, `${name} ${percent(share)}`), "nothing yet");
}

function drawSpread(times) {
  while (spread.length < times.length) spread.push($("spread").appendChild(document.createElement("i")));
  const used = times.flatMap((number, index) => (number ? [index] : []));
  // Complete decades, of seven buckets each.
  const low = used.length ? Math.floor(Math.max(used[0] - 1, 0) / 7) * 7 : 0;
  const high = used.length ? Math.min(Math.max(Math.ceil(used.at(-1) / 7) * 7, low + 14), times.length - 1) : 28;
  const most = Math.max(1, ...times), all = times.reduce((sum, number) => sum + number, 0);
  spread.forEach((bar, index) => {
    show(bar, (index > low || (index === 0 && low === 0)) && index <= high);
    bar.style.height = `${times[index] ? Math.max((times[index] / most) * 100, 1) : 0}%`;
    const upper = run.time_bounds[index];
    bar.title = `${upper === undefined ? "longer" : `up to ${duration(upper)}`}: ${counted(times[index], "URL")}, ${percent(all ? times[index] / all : 0)}`;
  });
  const labels = [];
  for (let index = low; index <= high; index += 7) labels.push(duration(run.time_bounds[index] ?? run.time_bounds.at(-1)));
  const scale = $("spread-scale");
  while (scale.children.length < labels.length) scale.append(document.createElement("span"));
  [...scale.children].forEach((label, index) => { show(label, index < labels.length); text(label, labels[index] ?? ""); });
}

// The snapshot.
let run = null, latest = null, tab = "busiest", wants = null;

const SAYS = { running: "running", pausing: "pausing", paused: "paused", stopping: "stopping", ended: "ended" };

function draw(snapshot) {
  const { state, done, ok } = snapshot, failed = done - ok, ended = state === "ended", held = state === "paused";
  const urls = snapshot.total === null ? null : Math.max(snapshot.total, done, 1);
  const code = snapshot.exit_code;
  text($("state"), ended
    ? `ended after ${duration(snapshot.elapsed)}${code === null ? "" : `, exit code ${code}`}`
    : `${SAYS[state] ?? state} ${state === "running" ? duration(snapshot.elapsed) : ""}`.trim());
  $("dot").className = `dot ${ended && code ? "failed" : state}`;
  document.title = `${ended || held ? state : urls ? percent(done / urls) : "running"} · ${rate(snapshot.urls_per_second)}/s · fetchpool`;

  const bar = $("bar"), share = urls ? done / urls : 0;
  bar.classList.toggle("unknown", urls === null && !ended);
  $("done-ok").style.width = `${urls ? (ok / urls) * 100 : 0}%`;
  $("done-failed").style.width = `${urls ? (failed / urls) * 100 : 0}%`;
  if (urls) bar.setAttribute("aria-valuenow", String(Math.floor(share * 100)));
  text($("percent"), urls ? percent(share) : "");
  text($("count"), urls ? `${count(done)} of ${total(snapshot)} URLs` : `${counted(done, "URL")} done`);
  text($("eta"), ended || snapshot.eta === null || state !== "running" ? waiting(snapshot) : `about ${duration(snapshot.eta)} left`);

  text($("rate"), rate(ended ? snapshot.rate_average : snapshot.urls_per_second));
  text($("rate-note"), ended ? "on average" : `average ${rate(snapshot.rate_average)}`);
  text($("in-flight"), count(snapshot.in_flight));
  text($("in-flight-note"), `of ${count(snapshot.workers)}, ${count(snapshot.queued)} waiting`);
  text($("ok"), count(ok));
  text($("ok-note"), snapshot.done_before ? `${count(snapshot.done_before)} done before` : snapshot.duplicates ? counted(snapshot.duplicates, "duplicate") : "");
  text($("failed"), count(failed));
  $("failed").classList.toggle("some", failed > 0);
  text($("failed-note"), `${done ? percent(failed / done) : "0 %"}, ${snapshot.retries === 1 ? "1 retry" : `${count(snapshot.retries)} retries`}`);
  text($("bytes"), size(snapshot.size_delivered));
  text($("bytes-note"), `${size(ended ? snapshot.size_delivered / Math.max(snapshot.elapsed, 0.001) : snapshot.bytes_per_second)}/s`);
  text($("p50"), duration(snapshot.time_p50));
  text($("p50-note"), `95 % within ${duration(snapshot.time_p95)}`);

  const most = Math.max(1, ...snapshot.failed.map((kind) => kind.count));
  text($("kinds"), snapshot.failed.length > KINDS ? `and ${snapshot.failed.length - KINDS} more kinds` : "");
  failureRows(snapshot.failed.slice(0, KINDS), (row, kind) => {
    text(row.number, count(kind.count));
    text(row.kind, kind.kind);
    row.meter.firstChild.style.width = `${(kind.count / most) * 100}%`;
    link(row.example, kind.examples[0]);
  }, "none");
  drawHosts(snapshot);
  slowestRows(snapshot.slowest.slice(0, SLOWEST), (row, request) => {
    text(row.when, duration(request.seconds));
    link(row.example, request.url);
  }, "nothing is in flight");
  eventRows(snapshot.events.slice(-EVENTS).reverse(), (row, event) => {
    text(row.when, clock(event.time));
    text(row.line, event.text);
    row.line.title = event.text;
  }, "none yet");
  drawSpread(snapshot.times);
  drawControls(snapshot);
  show($("summary-card"), ended && snapshot.summary.length > 0);
  text($("summary"), snapshot.summary.join("\n"));
}

function waiting(snapshot) {
  const wait = snapshot.wait;
  if (!wait || snapshot.state !== "running") return "";
  return `${count(wait.requests)} wait${["dns", "robots"].includes(wait.reason) ? "" : ` ${duration(wait.seconds)} or longer`}${wait.host ? ` for ${wait.host}` : ""}: ${WAIT[wait.reason] ?? wait.reason}`;
}

function drawHosts(snapshot) {
  const note = {
    busiest: (host) => `${count(host.in_flight)} in flight, ${count(host.waiting)} waiting`,
    paused: (host) => `${count(host.requests)} wait ${duration(host.seconds)}: ${host.status ? `responded with ${host.status}` : WAIT[host.reason] ?? host.reason}`,
    failing: (host) => `${count(host.count)} failed, last: ${host.kind}`,
  }[tab];
  const nothing = { busiest: "no host has requests in flight", paused: "no host is paused", failing: "no host has failures" };
  hostRows(snapshot.hosts[tab], (row, host) => {
    text(row.host, host.host);
    row.host.title = host.host;
    text(row.note, note(host));
  }, nothing[tab]);
}

// Controls. None shows what was asked for as if it were done: that is for the next snapshots to say.
const inputs = { workers: $("workers"), rate: $("rate-limit"), per_host: $("per-host") };
let confirming = false;

function drawControls(snapshot) {
  const { state } = snapshot, steers = run !== null && !run.read_only;
  const ended = state === "ended", held = state === "paused" || state === "pausing";
  const fresh = held && snapshot.in_flight === 0 && snapshot.done === snapshot.done_before && !snapshot.retries;
  if (state !== "running" && !held) confirming = false;
  show($("pause"), steers && state === "running");
  show($("resume"), steers && (held || state === "stopping"));
  text($("resume"), fresh ? "Start" : "Resume");
  show($("abort"), steers && state === "stopping");
  show($("stop"), steers && (state === "running" || held));
  show($("save"), ended);
  show($("confirm"), confirming);
  show($("actions"), !confirming);
  show($("settings"), steers && !ended && Boolean(snapshot.settings));
  if (snapshot.settings) {
    const values = written(snapshot.settings);
    for (const [name, input] of Object.entries(inputs)) {
      if (document.activeElement !== input) input.value = values[name]; // nobody is about to type there
    }
  }
  if (wants && snapshot.seq > wants.seq + 1) asked(null);
}

function written({ workers, rate: limit, per_host: perHost }) {
  return {
    workers: String(workers),
    rate: limit === null ? "" : limit < 1 ? `${+(limit * 60).toFixed(2)}/m` : `${+limit.toFixed(2)}/s`,
    per_host: perHost === null ? "" : String(perHost),
  };
}

function asked(what) {
  wants = what;
  text($("asked"), what ? `asked: ${what.label}` : "");
  for (const button of document.querySelectorAll("#actions button:not(.quiet), #confirm button")) button.disabled = Boolean(what) && button.id !== "save";
}

async function send(label, method, path, body) {
  asked({ label, seq: latest?.seq ?? 0 });
  let answer;
  try {
    answer = await fetch(path, { method, body, headers: body ? { "Content-Type": "application/json" } : {} });
  } catch {
    asked(null);
    return trouble("no response; nothing was changed");
  }
  const result = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    asked(null);
    return trouble(result.error ?? `error ${answer.status}`);
  }
  trouble("");
  if (wants) wants.seq = result.seq;
  return soon();
}

const steer = (name) => send(name, "POST", `/api/${name}`);
const change = (values) => send(Object.entries(values).map(([name, value]) => `${name} ${value}`).join(", "), "PATCH", "/api/settings", JSON.stringify(values));

function confirm(on) {
  confirming = on;
  if (latest) drawControls(latest);
  (on ? $("really") : $("stop")).focus();
}

function resize(factor) {
  const now = latest?.settings?.workers === "auto" ? latest.workers : latest?.settings?.workers ?? 1;
  const next = factor > 1 ? Math.max(now + 1, Math.round(now * factor)) : Math.max(1, Math.min(now - 1, Math.round(now * factor)));
  const ceiling = latest?.settings?.ceiling ?? run.ceiling;
  if (Math.min(next, ceiling) !== now) change({ workers: Math.min(next, ceiling) });
}

function apply(input) {
  const typed = input.value.trim();
  if (latest?.settings && typed === written(latest.settings)[input.name]) return undefined;
  if (input.name === "workers") return typed ? change({ workers: typed }) : undefined;
  return change({ [input.name]: typed === "" || typed === "none" || typed === "no limit" ? "0" : typed });
}

$("pause").addEventListener("click", () => steer("pause"));
$("resume").addEventListener("click", () => steer("resume"));
$("abort").addEventListener("click", () => steer("abort"));
$("stop").addEventListener("click", () => confirm(true));
$("not").addEventListener("click", () => confirm(false));
$("really").addEventListener("click", () => { confirming = false; steer("stop"); if (latest) drawControls(latest); });
$("more").addEventListener("click", () => resize(1.25));
$("fewer").addEventListener("click", () => resize(0.8));
$("help").addEventListener("click", () => $("keys").showModal());
$("settings").addEventListener("submit", (event) => { event.preventDefault(); if (event.submitter === null || document.activeElement?.name) document.activeElement.blur(); });
for (const input of Object.values(inputs)) {
  input.addEventListener("change", () => apply(input));
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    input.blur();
    if (latest) drawControls(latest);
  });
}
const tabs = ["busiest", "paused", "failing"].map((name) => [$(`tab-${name}`), name]);
tabs.forEach(([button, name], index) => {
  button.addEventListener("click", () => {
    tab = name;
    for (const [other] of tabs) { other.setAttribute("aria-selected", String(other === button)); other.tabIndex = other === button ? 0 : -1; }
    $("panel").setAttribute("aria-labelledby", button.id);
    if (latest) drawHosts(latest);
  });
  button.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const [next] = tabs[(index + by + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
});
$("save").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([JSON.stringify({ run, snapshot: latest, series: { ...columns, held } }, null, 1)], { type: "application/json" }));
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = "fetchpool-run.json";
  anchor.click();
  URL.revokeObjectURL(address);
});
document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || at instanceof HTMLInputElement || $("keys").open) return;
  if (event.key === "?") return $("keys").showModal();
  if (!latest || !run || run.read_only || latest.state === "ended" || wants) return;
  const onButton = at instanceof HTMLButtonElement || at instanceof HTMLAnchorElement;
  if (event.key === "p" || (event.key === " " && !onButton)) {
    event.preventDefault();
    steer(latest.state === "running" ? "pause" : "resume");
  } else if (event.key === "+" || event.key === "=") resize(1.25);
  else if (event.key === "-") resize(0.8);
  else if (event.key === "s") { if (latest.state === "stopping") steer("resume"); else confirm(true); }
  else if (event.key === "Escape" && confirming) confirm(false);
});

// Polling.
function trouble(line) {
  text($("trouble"), line);
  show($("trouble"), Boolean(line));
}

let etag = "", answered = Date.now(), changed = Date.now(), failures = 0, timer = 0, busy = false;

class Refused extends Error {}

async function json(path, headers = {}) {
  const answer = await fetch(path, { headers, signal: AbortSignal.timeout(10 * SECOND) });
  if (answer.status === 304) return null;
  if (answer.status === 401) throw new Refused("this page is no longer logged in; the key w in the terminal of the run shows a new link");
  if (!answer.ok) throw new Refused((await answer.json().catch(() => ({}))).error ?? `error ${answer.status}`);
  etag = answer.headers.get("etag") ?? etag;
  return answer.json();
}

async function poll() {
  if (busy) return;
  busy = true;
  let wait = wants ? SECOND / 4 : SECOND;
  try {
    if (!run) {
      run = await json("/api/run");
      text($("files"), [run.inputs.join(" "), run.outputs.join(" ")].filter(Boolean).join(" → "));
      $("files").title = $("files").textContent;
      text($("about"), [run.command, `fetchpool ${run.version}`, `${run.executor} executor, ${run.transport} transport`, `process ${run.pid}`].filter(Boolean).join(" · "));
    }
    let series = await json(`/api/series?after=${complete}`);
    if (step && series.step !== step) series = await json("/api/series?after=0");
    takeSeries(series);
    const snapshot = await json(`/api/snapshot?tab=${TAB}`, etag ? { "If-None-Match": etag } : {});
    answered = Date.now();
    if (failures) trouble("");
    failures = 0;
    if (snapshot && "done" in snapshot) {
      changed = answered;
      latest = snapshot;
      draw(snapshot);
      drawCharts();
      drawHeld();
    }
    const age = Math.round((answered - changed) / SECOND);
    if (age >= 4 && latest) trouble(`no update from the run for ${duration(age)}`);
    else if ($("trouble").textContent.startsWith("no update from the run")) trouble("");
  } catch (error) {
    failures += 1;
    wait = Math.min(SECOND * failures, 10 * SECOND);
    const age = Math.round((Date.now() - answered) / SECOND);
    trouble(error instanceof Refused ? error.message : `no response for ${duration(Math.max(age, 1))}`);
  }
  busy = false;
  if (latest?.state === "ended" && latest.exit_code !== null) return;
  clearTimeout(timer);
  timer = setTimeout(poll, wait);
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(poll, SECOND / 10);
}

makeCharts();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", makeCharts);
new ResizeObserver(() => {
  for (const { plot, holder } of charts) {
    if (holder.clientWidth !== plot.width || holder.clientHeight !== plot.height) plot.setSize({ width: holder.clientWidth, height: holder.clientHeight });
  }
}).observe(document.querySelector(".charts"));
document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
poll();

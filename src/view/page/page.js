"use strict";
// The live page: draws what /events says once a second. Rows are kept and changed, so that focus stays where it is.

const HISTORY = 60;
const COLOURS = ["#0a7bd1", "#d9480f", "#2b8a3e", "#9c36b5", "#c92a2a", "#0b7285", "#e67700", "#5f3dc4"];
const histories = new Map();
const charts = new Map();
const $ = (id) => document.getElementById(id);

const number = (value) => value >= 100 ? Math.round(value).toLocaleString("en") : (Math.round(value * 10) / 10).toString();
const percent = (part) => part === null ? "–" : `${Math.round(part * 100)} %`;
const ms = (value) => value === null || value === undefined ? "–" : `${value < 10 ? value.toFixed(2) : Math.round(value)} ms`;
const clock = (unix) => new Date(unix).toLocaleTimeString();

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// Changes a cell only if it says something else: what is being read or selected is left alone.
function put(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}

function rows(body, keys, cells, make) {
  const known = new Map([...body.children].map((row) => [row.dataset.key, row]));
  keys.forEach((key, index) => {
    let row = known.get(key);
    if (!row) {
      row = element("tr");
      row.dataset.key = key;
      for (let n = 0; n < cells; n++) row.append(element(n === 0 ? "th" : "td"));
      row.firstChild.scope = "row";
      if (make) make(row, key);
    }
    known.delete(key);
    if (body.children[index] !== row) body.insertBefore(row, body.children[index] || null);
  });
  known.forEach((row) => row.remove());
  return [...body.children];
}

function plain(id, items, key, values) {
  const body = $(id).tBodies[0];
  const width = $(id).tHead.rows[0].cells.length;
  rows(body, items.map(key), width).forEach((row, index) => {
    values(items[index]).forEach((value, n) => put(row.cells[n], value));
  });
}

function spark(cell, history) {
  let svg = cell.querySelector("svg");
  if (!svg) {
    const space = "http://www.w3.org/2000/svg";
    svg = document.createElementNS(space, "svg");
    svg.setAttribute("class", "spark");
    svg.setAttribute("viewBox", "0 0 59 20");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.append(document.createElementNS(space, "polyline"));
    cell.append(svg);
  }
  const known = history.map((second) => second.p99_ms).filter((value) => value !== null);
  const most = Math.max(...known, 0.001);
  svg.setAttribute("aria-label", known.length ? `99th percentile of the last minute: at most ${ms(most)}` : "no answers in the last minute");
  const from = HISTORY - history.length;
  const points = history.map((second, n) => second.p99_ms === null ? "" : `${from + n},${(19 - 18 * second.p99_ms / most).toFixed(1)}`);
  svg.firstChild.setAttribute("points", points.join(" ").trim());
}

async function change(pool, backend, what, button) {
  // Not disabled meanwhile: that would take the focus away from who uses a keyboard.
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  const headers = {};
  if ($("token").value) headers.Authorization = `Bearer ${$("token").value}`;
  try {
    const url = `/backends/${encodeURIComponent(backend)}/${what}?pool=${encodeURIComponent(pool)}`;
    const answer = await fetch(url, { method: "POST", headers });
    put($("message"), answer.ok ? "" : await answer.text());
  } catch (error) {
    put($("message"), `${what} ${backend}: ${error.message}`);
  }
  button.ariaBusy = null;
}

function poolSection(pool) {
  const id = `pool-${pool.name}`;
  let section = document.getElementById(id);
  if (section) return section;
  section = element("section");
  section.id = id;
  section.setAttribute("aria-labelledby", `${id}-title`);
  const title = element("h2");
  title.id = `${id}-title`;
  const scroll = element("div", undefined, "scroll");
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", `Table of the backends of pool ${pool.name}`);
  const table = element("table");
  const head = table.createTHead().insertRow();
  for (const name of ["backend", "state", "change", "in flight", "per s", "errors/s", "p50", "p99", "p99, last minute", "weight", "share / due", "what became of it"]) {
    const cell = element("th", name);
    cell.scope = "col";
    head.append(cell);
  }
  table.createTBody();
  scroll.append(table);
  const chart = element("div", undefined, "chart");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", `Chart: what each backend of pool ${pool.name} was given, a second each`);
  section.append(title, scroll, chart);
  $("pools").append(section);
  return section;
}

function makeBackend(pool) {
  return (row, key) => {
    row.cells[1].append(element("span"));
    const share = element("span", undefined, "share");
    share.setAttribute("role", "img");
    share.append(element("i"), element("b"));
    row.cells[10].append(share, element("span"));
    const button = element("button");
    button.type = "button";
    button.addEventListener("click", () => change(pool.name, key, button.dataset.what, button));
    row.cells[2].append(button);
    const details = element("details");
    details.append(element("summary"), element("ol"));
    row.cells[11].className = "reason";
    row.cells[11].append(details);
  };
}

function drawBackend(row, backend, history) {
  const cells = row.cells;
  row.className = backend.state === "down" || backend.state === "passed over" ? "down" : "";
  put(cells[0], backend.name);
  cells[0].title = backend.address;
  const state = cells[1].firstChild;
  put(state, backend.state + (backend.backup ? " (backup)" : ""));
  state.className = `state ${backend.state.split(" ")[0]}`;
  put(cells[9], String(backend.weight));
  const [share, text] = cells[10].childNodes;
  share.firstChild.style.width = `${100 * (backend.share || 0)}%`;
  share.lastChild.style.left = `${100 * backend.fair_share}%`;
  share.setAttribute("aria-label", `${percent(backend.share)}, by weight ${percent(backend.fair_share)}`);
  put(text, `${percent(backend.share)} / ${percent(backend.fair_share)}`);
  put(cells[3], backend.max_connections === null ? String(backend.in_flight) : `${backend.in_flight} of ${backend.max_connections}`);
  put(cells[4], number(backend.per_s));
  put(cells[5], number(backend.errors_per_s));
  put(cells[6], ms(backend.p50_ms));
  put(cells[7], ms(backend.p99_ms));
  spark(cells[8], history);
  const button = cells[2].firstChild;
  const what = backend.drained || backend.weight_set !== null ? "enable" : "drain";
  button.dataset.what = what;
  put(button, what);
  button.setAttribute("aria-label", `${what} ${backend.name}`);
  const details = cells[11].firstChild;
  put(details.firstChild, backend.why || (backend.changes.length ? "well now" : "nothing"));
  const lines = backend.changes.map((one) => `${clock(one.at_unix_ms)} ${one.what}: ${one.why}`).reverse();
  const list = details.lastChild;
  if ([...list.children].map((line) => line.textContent).join("\n") !== lines.join("\n")) {
    list.replaceChildren(...lines.map((line) => element("li", line)));
  }
}

function drawChart(section, pool) {
  const holder = section.querySelector(".chart");
  const names = pool.backends.map((backend) => backend.name).slice(0, COLOURS.length);
  const style = getComputedStyle(document.documentElement);
  const key = `${names.join("\n")} ${style.getPropertyValue("--text")}`;
  const seconds = Array.from({ length: HISTORY }, (_, n) => n - HISTORY + 1);
  const data = [seconds, ...names.map((name) => {
    const history = histories.get(`${pool.name}/${name}`) || [];
    return seconds.map((_, n) => (history[n - HISTORY + history.length] || { per_s: null }).per_s);
  })];
  const width = Math.max(280, holder.clientWidth);
  const known = charts.get(pool.name);
  if (known && known.key === key) {
    if (known.plot.width !== width) known.plot.setSize({ width, height: 180 });
    known.plot.setData(data);
    return;
  }
  if (known) known.plot.destroy();
  const axis = { stroke: style.getPropertyValue("--quiet"), grid: { stroke: style.getPropertyValue("--line") } };
  const plot = new uPlot({
    width, height: 180, title: `given to each backend, per second${names.length < pool.backends.length ? ` (the first ${names.length})` : ""}`, scales: { x: { time: false } },
    axes: [{ ...axis, values: (_, ticks) => ticks.map((tick) => `${tick} s`) }, axis],
    series: [{ label: "second" }, ...names.map((label, n) => ({ label, stroke: COLOURS[n], width: 2, points: { show: false }, value: (_, v) => v === null ? "–" : number(v) }))],
  }, data, holder);
  charts.set(pool.name, { key, plot });
}

function drawPool(pool) {
  const section = poolSection(pool);
  put(section.firstChild, `Pool ${pool.name} · ${pool.policy}${pool.waiting ? ` · ${pool.waiting} wait` : ""}`);
  const body = section.querySelector("tbody");
  const all = rows(body, pool.backends.map((backend) => backend.name), 12, makeBackend(pool));
  pool.backends.forEach((backend, index) => {
    const key = `${pool.name}/${backend.name}`;
    let history = histories.get(key) || [];
    if (backend.history) history = backend.history;
    else history = [...history, { per_s: backend.per_s, p50_ms: backend.p50_ms, p99_ms: backend.p99_ms }];
    histories.set(key, history.slice(-HISTORY));
    drawBackend(all[index], backend, histories.get(key));
  });
  drawChart(section, pool);
}

function draw(stats) {
  const up = stats.uptime_s;
  const since = up < 120 ? `${up} s` : up < 7200 ? `${Math.floor(up / 60)} min` : `${Math.floor(up / 3600)} h`;
  put($("summary"), `${stats.version} · ${stats.state} · up ${since} · ${stats.totals.accepted.toLocaleString("en")} connections, ${stats.totals.requests.toLocaleString("en")} requests, ${stats.totals.retries.toLocaleString("en")} retries`);
  const lines = stats.saturation.length ? stats.saturation : [`nothing is short: ${stats.headroom}`];
  const list = $("saturation");
  if ([...list.children].map((line) => line.textContent).join("\n") !== lines.join("\n")) {
    list.replaceChildren(...lines.map((line) => element("li", line, stats.saturation.length ? "short" : "")));
  }
  $("token-form").hidden = !stats.token_needed;
  plain("frontends", stats.frontends, (one) => one.name, (one) => [
    one.name, one.mode, one.listen.join(" "), one.pool, String(one.open), number(one.connections_per_s),
    one.mode === "http" ? number(one.responses_per_s) : "–", `${one.queue} of ${one.queue_most}`]);
  stats.pools.forEach(drawPool);
  const names = new Set(stats.pools.map((pool) => `pool-${pool.name}`));
  [...$("pools").children].filter((section) => !names.has(section.id)).forEach((section) => {
    charts.delete(section.id.slice(5));
    section.remove();
  });
  plain("workers", stats.workers, (one) => String(one.worker), (one) => [
    String(one.worker), `${one.sessions} of ${one.max_connections}`, percent(one.busy), percent(one.starved),
    ms(one.lag_p99_ms), String(one.run_queue), String(one.buffers), String(one.links)]);
  const ended = [...stats.connections_ended.map((one) => ["connection", one]), ...stats.requests_ended.map((one) => ["request", one])];
  plain("ended", ended, ([what, one]) => `${what} ${one.side} ${one.cause}`, ([what, one]) => [
    what, one.side, one.cause, one.count.toLocaleString("en")]);
}

$("token").value = sessionStorage.getItem("token") || "";
$("token").addEventListener("change", () => sessionStorage.setItem("token", $("token").value));
$("token-form").addEventListener("submit", (event) => event.preventDefault());

const events = new EventSource("/events");
events.onmessage = (event) => {
  put($("link"), "");
  draw(JSON.parse(event.data));
};
events.onerror = () => put($("link"), "no connection to lbproxy: what is shown is old");

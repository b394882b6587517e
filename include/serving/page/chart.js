"use strict";
// Two charts, drawn as SVG by hand: readings with the forecast's bands, and training load.

const DAY_MS = 86400000;
const dayNumber = (iso) => Math.round(Date.parse(iso + "T00:00:00Z") / DAY_MS);
const dateOf = (day) => new Date(day * DAY_MS);
const longDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const monthOnly = new Intl.DateTimeFormat("en-GB", { month: "short", timeZone: "UTC" });
const monthYear = new Intl.DateTimeFormat("en-GB", { month: "short", year: "2-digit", timeZone: "UTC" });

function svg(name, attributes, parent, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.appendChild(node);
  return node;
}

function ticks(low, high, wanted) {
  const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step / 1e6; v += step) found.push(Math.round(v * 1e6) / 1e6);
  return found;
}

function monthTicks(first, last, room) {
  const found = [], start = dateOf(first);
  const months = (last - first) / 30.4, every = [1, 2, 3, 6, 12, 24].find((n) => months / n <= room) || 48;
  for (let y = start.getUTCFullYear(), m = 0; ; m += every) {
    const day = Date.UTC(y, m, 1) / DAY_MS;
    if (day > last) return found;
    if (day >= first) found.push(day);
  }
}

const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
const area = (upper, lower) => path(upper) + path([...lower].reverse()).replace("M", "L") + "Z";

// A frame with axes; `panels` are [top, bottom, low, high] in pixels and values.
function frame(holder, height, days, label) {
  holder.replaceChildren();
  const width = Math.max(300, holder.clientWidth), left = 34, right = 8, bottom = 22;
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: "0", "aria-label": label }, holder);
  const [first, last] = days;
  const x = (day) => left + ((day - first) / Math.max(1, last - first)) * (width - left - right);
  const marks = monthTicks(first, last, Math.floor(width / 74));
  for (const day of marks) {
    const date = dateOf(day), text = date.getUTCMonth() ? monthOnly.format(date) : monthYear.format(date);
    if (x(day) < width - 24) svg("text", { x: x(day), y: height - 4, class: "axis", "text-anchor": "middle" }, root, text);
  }
  return { root, width, height, left, right, bottom, x, first, last };
}

function valueAxis(f, top, bottom, low, high, count) {
  const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
  for (const value of ticks(low, high, count)) {
    svg("line", { x1: f.left, x2: f.width - f.right, y1: y(value), y2: y(value), class: "grid" }, f.root);
    svg("text", { x: f.left - 8, y: y(value) + 4, class: "axis", "text-anchor": "end" }, f.root, String(value));
  }
  return y;
}

// Reading a chart: by pointer, or with the arrow keys while it has the focus.
function readout(holder, f, days, describe, mark) {
  const line = svg("line", { y1: 8, y2: f.height - f.bottom, class: "cursor", visibility: "hidden" }, f.root);
  const box = document.createElement("div");
  box.className = "read"; box.hidden = true; box.setAttribute("role", "status");
  holder.appendChild(box);
  let at = -1;
  const show = (index) => {
    at = Math.max(0, Math.min(days.length - 1, index));
    const x = f.x(days[at]), [title, ...rest] = describe(days[at]);
    line.setAttribute("x1", x); line.setAttribute("x2", x); line.setAttribute("visibility", "visible");
    const bold = document.createElement("b"); bold.textContent = title;
    box.replaceChildren(bold, ...rest.flatMap((t, i) => (i ? [document.createElement("br"), t] : [t])));
    box.hidden = false;
    const scale = holder.clientWidth / f.width, room = holder.clientWidth - box.offsetWidth;
    box.style.left = `${Math.max(0, Math.min(room, x * scale + (x > f.width / 2 ? -box.offsetWidth - 12 : 12)))}px`;
    mark(days[at]);
  };
  const hide = () => { box.hidden = true; line.setAttribute("visibility", "hidden"); mark(null); };
  f.root.addEventListener("pointermove", (e) => {
    const rect = f.root.getBoundingClientRect(), px = ((e.clientX - rect.left) / rect.width) * f.width;
    let best = 0;
    days.forEach((day, i) => { if (Math.abs(f.x(day) - px) < Math.abs(f.x(days[best]) - px)) best = i; });
    show(best);
  });
  f.root.addEventListener("pointerleave", hide);
  f.root.addEventListener("blur", hide);
  f.root.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -7, PageDown: 7 }[e.key];
    if (step) { e.preventDefault(); show((at < 0 ? days.length - 1 : at) + step); }
    else if (e.key === "Escape") hide();
  });
}

function drawVo2max(holder, history, forecast, historyDays) {
  const ahead = forecast.days, end = dayNumber(ahead[ahead.length - 1].day), asOf = dayNumber(forecast.as_of);
  const all = history.readings.map((r) => ({ ...r, n: dayNumber(r.day) }));
  const earliest = all.length ? all[0].n : asOf - 90;
  const first = historyDays ? Math.max(earliest, asOf - historyDays) : earliest;
  const seen = all.filter((r) => r.n >= first);
  const values = [...seen.map((r) => r.vo2max), forecast.last_reading.vo2max, ...ahead.flatMap((d) => [d.low_90, d.high_90])];
  const middle = (Math.min(...values) + Math.max(...values)) / 2, half = Math.max(1.5, (Math.max(...values) - Math.min(...values)) / 2 + 0.4);
  const last = ahead[ahead.length - 1];
  const f = frame(holder, 300, [Math.min(first, asOf - 14), end],
    `VO2max from ${longDay.format(dateOf(first))} to ${longDay.format(dateOf(end))}; expected at the end ${last.vo2max.toFixed(1)}, ` +
    `80 % band ${last.low_80.toFixed(1)} to ${last.high_80.toFixed(1)}. Use the arrow keys to read single days.`);
  const y = valueAxis(f, 12, f.height - f.bottom - 6, middle - half, middle + half, 5);
  const origin = { n: asOf, v: forecast.last_reading.vo2max };
  const points = ahead.map((d) => ({ ...d, n: dayNumber(d.day) }));
  const edge = (key) => points.map((d) => [f.x(d.n), y(d[key])]);
  svg("path", { d: area(edge("high_90"), edge("low_90")), class: "band90" }, f.root);
  svg("path", { d: area(edge("high_80"), edge("low_80")), class: "band80" }, f.root);
  svg("line", { x1: f.x(asOf), x2: f.x(asOf), y1: 8, y2: f.height - f.bottom, class: "asof" }, f.root);
  svg("path", { d: path([...seen.map((r) => [f.x(r.n), y(r.vo2max)]), [f.x(origin.n), y(origin.v)]]), class: "readings" }, f.root);
  const dot = seen.length > 200 ? 1.6 : seen.length > 80 ? 2.2 : 3;
  for (const r of seen) svg("circle", { cx: f.x(r.n), cy: y(r.vo2max), r: dot, class: "dot" }, f.root);
  svg("path", { d: path(edge("vo2max")), class: "mean" }, f.root);
  const byDay = new Map([...seen.map((r) => [r.n, r]), ...points.map((d) => [d.n, d])]);
  const marker = svg("circle", { r: 4.5, class: "marker", visibility: "hidden" }, f.root);
  readout(holder, f, [...byDay.keys()].sort((a, b) => a - b), (n) => {
    const d = byDay.get(n), title = longDay.format(dateOf(n));
    if (d.low_80 === undefined) return [title, `reading ${d.vo2max.toFixed(d.is_precise ? 1 : 0)}`];
    return [title, `expected ${d.vo2max.toFixed(1)}`, `80 %: ${d.low_80.toFixed(1)} – ${d.high_80.toFixed(1)}`,
      `90 %: ${d.low_90.toFixed(1)} – ${d.high_90.toFixed(1)}`, SERVED_SHORT[d.served_by] || d.served_by];
  }, (n) => {
    marker.setAttribute("visibility", n === null ? "hidden" : "visible");
    if (n !== null) { marker.setAttribute("cx", f.x(n)); marker.setAttribute("cy", y(byDay.get(n).vo2max)); }
  });
}

function drawLoad(holder, history, historyDays) {
  const all = history.load.filter((d) => d.ctl !== null && d.atl !== null).map((d) => ({ ...d, n: dayNumber(d.day) }));
  if (!all.length) {
    holder.textContent = "No training load is known yet: it comes with the first activities that have heart rate or a duration.";
    return;
  }
  const asOf = all[all.length - 1].n;
  const rows = historyDays ? all.filter((d) => d.n >= asOf - historyDays) : all;
  const now = rows[rows.length - 1];
  const f = frame(holder, 260, [Math.min(rows[0].n, asOf - 14), asOf],
    `Training load. Now: fitness ${now.ctl.toFixed(0)}, fatigue ${now.atl.toFixed(0)}, form ${now.tsb.toFixed(0)}. Use the arrow keys to read single days.`);
  const high = Math.max(10, ...rows.flatMap((d) => [d.ctl, d.atl])), y = valueAxis(f, 12, 158, 0, high * 1.05, 4);
  const reach = Math.max(10, ...rows.map((d) => Math.abs(d.tsb))), z = valueAxis(f, 178, f.height - f.bottom - 6, -reach, reach, 2);
  const zero = rows.map((d) => [f.x(d.n), z(0)]);
  svg("path", { d: area(rows.map((d) => [f.x(d.n), z(Math.max(0, d.tsb))]), zero), class: "tsb-up" }, f.root);
  svg("path", { d: area(rows.map((d) => [f.x(d.n), z(Math.min(0, d.tsb))]), zero), class: "tsb-down" }, f.root);
  svg("path", { d: path(rows.map((d) => [f.x(d.n), y(d.atl)])), class: "atl" }, f.root);
  svg("path", { d: path(rows.map((d) => [f.x(d.n), y(d.ctl)])), class: "ctl" }, f.root);
  const byDay = new Map(rows.map((d) => [d.n, d]));
  readout(holder, f, [...byDay.keys()], (n) => {
    const d = byDay.get(n);
    return [longDay.format(dateOf(n)), `fitness ${d.ctl.toFixed(0)}`, `fatigue ${d.atl.toFixed(0)}`, `form ${d.tsb > 0 ? "+" : ""}${d.tsb.toFixed(0)}`];
  }, () => {});
}

// The page: asks for the key once, then shows one athlete. All addresses are relative to where the page came from.

const $ = (id) => document.getElementById(id);
const BASE = location.pathname.replace(/\/?$/, "/");
const STORE = `fitness-forecast ${BASE} `;
const SERVED_SHORT = { combined: "by the combined forecast", forecaster: "by the model", persistence: "the last reading stays" };
let shown = null, historyDays = 180, loadNumber = 0, retryTimer = 0;

function remember(name, value) {
  try { value === null ? localStorage.removeItem(STORE + name) : localStorage.setItem(STORE + name, value); } catch { /* private browsing */ }
}
function recall(name) {
  try { return localStorage.getItem(STORE + name); } catch { return null; }
}

let key = recall("key");
const given = new URLSearchParams(location.hash.slice(1)).get("key");
if (given) {
  key = given;
  remember("key", key);
  history.replaceState(null, "", location.pathname + location.search);
}

class ApiProblem extends Error {
  constructor(problem, retryAfter) { super(problem.detail); this.problem = problem; this.retryAfter = retryAfter; }
}

async function ask(path, question = {}) {
  let answer;
  try {
    const headers = { "x-api-key": key, ...(question.body && { "Content-Type": "application/json" }) };
    answer = await fetch(BASE + path, { ...question, headers, cache: "no-store" });
  } catch {
    throw new ApiProblem({ status: 0, title: "No connection", detail: "The forecast’s server could not be reached. Check your connection." }, 0);
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  const problem = body && body.title ? body : { title: "The server failed", detail: `It answered with status ${answer.status}.` };
  throw new ApiProblem({ ...problem, status: answer.status }, Number(answer.headers.get("Retry-After")) || 0);
}

function only(id) {
  for (const part of ["keyform", "problem", "loading", "view"]) $(part).hidden = part !== id;
  clearTimeout(retryTimer);
}

function askForKey(why) {
  only("keyform");
  $("choose").hidden = true;
  $("keyerror").textContent = why || "";
  $("key").focus();
}

function showProblem(error, again) {
  if (!(error instanceof ApiProblem)) {
    console.error(error);
    error = new ApiProblem({ title: "The page failed", detail: "This page could not show the answer. Reload it; if that does not help, tell whoever runs it." }, 0);
  }
  if (error.problem.status === 403 && error.problem.field === "x-api-key") {
    remember("key", null);
    return askForKey("This key is not known. Check it and try again.");
  }
  only("problem");
  $("problemtitle").textContent = error.problem.title;
  $("problemdetail").textContent = error.problem.detail;
  $("again").onclick = again;
  if (error.retryAfter) retryTimer = setTimeout(again, error.retryAfter * 1000);
}

async function start() {
  if (!key) return askForKey();
  only("loading");
  try {
    const { athletes } = await ask("athletes");
    $("choose").hidden = false;
    if (!athletes.length) {
      throw new ApiProblem({ title: "No athletes yet", detail: "No data came in yet. The first daily run brings the athletes." }, 0);
    }
    $("athlete").replaceChildren(...athletes.map((id) => new Option(id, id)));
    const before = recall("athlete");
    $("athlete").value = athletes.includes(before) ? before : athletes[0];
    await load();
  } catch (error) { showProblem(error, start); }
}

async function load() {
  const athlete = $("athlete").value, mine = ++loadNumber, path = `athletes/${encodeURIComponent(athlete)}/`;
  remember("athlete", athlete);
  if (!shown) only("loading");
  try {
    const [forecast, past] = await Promise.all([ask(path + "forecast"), ask(path + "history")]);
    if (mine !== loadNumber) return;
    shown = { forecast, past };
    only("view");
    show();
  } catch (error) {
    if (mine === loadNumber) { shown = null; showProblem(error, load); }
  }
}

const days = (n) => (n === 1 ? "1 day" : `${n} days`);

function show() {
  const { forecast, past } = shown, reading = forecast.last_reading, last = forecast.days[forecast.days.length - 1];
  const exact = past.readings.length ? past.readings[past.readings.length - 1].is_precise : true;
  $("nowvalue").textContent = reading.vo2max.toFixed(exact ? 1 : 0);
  const today = Math.floor(Date.now() / DAY_MS), readingDay = dayNumber(reading.day), old = today - readingDay;
  const ago = old <= 0 ? "today" : old === 1 ? "yesterday" : `${days(old)} ago`;
  $("nowage").textContent = `Last reading ${ago}, on ${longDay.format(dateOf(readingDay))}`;
  $("aheadtitle").textContent = `In ${last.horizon_days % 7 ? days(last.horizon_days) : `${last.horizon_days / 7} weeks`}`;
  $("aheadvalue").textContent = last.vo2max.toFixed(1);
  const change = last.vo2max - reading.vo2max, flat = Math.abs(change) < 0.05;
  $("change").textContent = flat ? "steady" : `${change > 0 ? "▲ +" : "▼ −"}${Math.abs(change).toFixed(1)}`;
  $("change").className = `change ${flat ? "" : change > 0 ? "up" : "down"}`;
  $("aheadrange").textContent = `Likely ${last.low_80.toFixed(1)} to ${last.high_80.toFixed(1)}, on ${longDay.format(dateOf(dayNumber(last.day)))}`;
  $("confidence").hidden = forecast.confidence !== "low";
  $("confidence").textContent = `Low confidence. ${forecast.confidence_reason || ""}`;
  $("sport").textContent = forecast.sport ? forecast.sport[0].toUpperCase() + forecast.sport.slice(1) : "";
  const stale = today - dayNumber(forecast.as_of);
  $("stale").hidden = stale < 4;
  $("stale").textContent = `The data end on ${longDay.format(dateOf(dayNumber(forecast.as_of)))}, ${days(stale)} ago; the forecast starts there. Sync the watch for a newer one.`;
  showServed(forecast);
  showRaces(forecast.race_times, forecast.sport);
  showWeekly(past);
  draw();
}

// A version such as 20261123t235900z is a moment; any other is shown as it is.
function when(version) {
  const part = /^(\d{4})(\d\d)(\d\d)t\d{6}z/.exec(version);
  return part ? longDay.format(dateOf(dayNumber(part.slice(1, 4).join("-")))) : version;
}

const ANSWERED = {
  combined: "the combined forecast.",
  forecaster: "the model.",
  persistence: "the last reading stays, with bands from how readings moved before.",
};

// Days ahead that one method answered, with the sentences that speak for it; without any, neighbours are one entry.
function servedRanges(forecast) {
  const said = new Map((forecast.evidence || []).map((entry) => [Number(entry.days.split("-")[0]), entry.sentence])), ranges = [];
  for (const d of forecast.days) {
    const last = ranges[ranges.length - 1];
    if (last && last.by === d.served_by && !said.has(d.horizon_days)) last.to = d.horizon_days;
    else ranges.push({ by: d.served_by, from: d.horizon_days, to: d.horizon_days, sentence: said.get(d.horizon_days) });
  }
  return ranges;
}

function showServed(forecast) {
  $("served").replaceChildren(...servedRanges(forecast).map((range) => {
    const item = document.createElement("li"), bold = document.createElement("b");
    bold.textContent = range.from === range.to ? `Day ${range.from}` : `Days ${range.from}–${range.to}`;
    item.append(bold, `: ${ANSWERED[range.by] || range.by}`);
    if (range.sentence) item.append(cell("p", range.sentence, "muted small"));
    return item;
  }));
  const notes = forecast.notes || [];
  $("notes").hidden = !notes.length;
  $("notes").textContent = notes.join(" ");
  $("modelline").textContent = `Model of ${when(forecast.model.version)}, trained on data of ${when(forecast.model.dataset_version)}.`;
  $("modelline").title = `model ${forecast.model.version}, dataset ${forecast.model.dataset_version}`;
}

const DISTANCES = { "5k": "5 km", "10k": "10 km", half_marathon: "Half marathon", marathon: "Marathon" };

function clock(seconds) {
  const s = Math.round(seconds), pad = (n) => String(n).padStart(2, "0");
  return s >= 3600 ? `${Math.floor(s / 3600)}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}` : `${Math.floor(s / 60)}:${pad(s % 60)}`;
}

function cell(kind, text, className, scope) {
  const node = document.createElement(kind);
  node.textContent = text;
  if (className) node.className = className;
  if (scope) node.scope = scope;
  return node;
}

function showRaces(races, sport) {
  const note = cell("p", "", "muted small");
  if (!races) {
    note.textContent = sport === "running" ? "There are no race times for a VO₂max this far off the tables." : "Race times are worked out for running only.";
    return $("races").replaceChildren(note);
  }
  const table = document.createElement("table"), head = table.createTHead().insertRow();
  head.append(cell("th", "Distance", "", "col"), cell("th", "Expected", "", "col"), cell("th", "Likely between", "", "col"));
  const body = table.createTBody();
  for (const time of races.races) {
    const row = body.insertRow();
    row.append(cell("th", DISTANCES[time.race] || time.race, "", "row"), cell("td", clock(time.expected_s)),
      cell("td", `${clock(time.fastest_s)} – ${clock(time.slowest_s)}`, "range"));
  }
  note.textContent = `For the fitness expected in ${days(races.horizon_days)}, after ${races.source}.`;
  $("races").replaceChildren(table, note);
}

function showWeekly(past) {
  const known = past.load.filter((d) => d.ctl !== null), usual = known.length ? Math.round(known[known.length - 1].ctl * 7) : null;
  const isOn = shown.forecast.what_if.enabled && usual !== null, reason = shown.forecast.what_if.reason;
  $("whatif").classList.toggle("off", !isOn);
  $("whatifstate").hidden = isOn;
  $("whatifreason").textContent = isOn ? `Move the slider to a week's load: ${reason}.`
    : `A what-if would only be a guess: ${reason}. It is switched on when planned load proves itself.`;
  $("weekly").disabled = !isOn;
  $("weekly").max = usual ? usual * 2 : 100;
  $("weekly").value = usual || 0;
  $("weeklyvalue").textContent = usual ? `${usual} as usual` : "";
}

async function askWhatIf() {
  const load = Number($("weekly").value), signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
  $("weeklyvalue").textContent = `${load} a week`;
  try {
    const body = JSON.stringify({ weekly_load: [load] });
    const answer = await ask(`athletes/${encodeURIComponent(shown.forecast.athlete_id)}/forecast`, { method: "POST", body });
    const last = answer.days[answer.days.length - 1], change = last.difference;
    $("whatifreason").textContent = `In ${days(last.horizon_days)}: ${signed(change.expected)} ml/kg/min against as usual (likely ${signed(change.low_90)} to ${signed(change.high_90)}). ${answer.what_if.reason}.`;
  } catch (problem) {
    $("whatifreason").textContent = problem.message;
  }
}

function draw() {
  if (!shown || $("view").hidden) return;
  for (const button of $("ranges").children) button.setAttribute("aria-pressed", String(Number(button.dataset.days) === historyDays));
  drawVo2max($("vo2chart"), shown.past, shown.forecast, historyDays);
  drawLoad($("loadchart"), shown.past, historyDays);
}

$("keyform").addEventListener("submit", (event) => {
  event.preventDefault();
  key = $("key").value.trim();
  $("key").value = "";
  remember("key", key);
  start();
});
$("forget").addEventListener("click", () => { remember("key", null); key = null; shown = null; loadNumber++; askForKey(); });
$("athlete").addEventListener("change", load);
$("weekly").addEventListener("change", askWhatIf);
$("ranges").addEventListener("click", (event) => {
  if (event.target.dataset.days) { historyDays = Number(event.target.dataset.days); draw(); }
});
// A tooltip stays within the window.
for (const type of ["pointerenter", "focus"]) {
  for (const tip of document.querySelectorAll(".tip")) tip.addEventListener(type, () => {
    const bubble = tip.firstElementChild;
    bubble.style.setProperty("--shift", "0px");
    const { left, right } = bubble.getBoundingClientRect(), edge = document.documentElement.clientWidth - 10;
    bubble.style.setProperty("--shift", `${left < 10 ? 10 - left : Math.min(0, edge - right)}px`);
  });
}
addEventListener("keydown", (event) => { if (event.key === "Escape" && document.activeElement.className === "tip") document.activeElement.blur(); });
let lastWidth = innerWidth;
addEventListener("resize", () => { if (innerWidth !== lastWidth) { lastWidth = innerWidth; draw(); } });
start();

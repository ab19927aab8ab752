// The rating page: one item after another. Everything that is saved goes through the outbox.
import { Ahead } from "./ahead.js";
import { Refused, ask, newId } from "./api.js";
import { Criteria } from "./criteria.js";
import * as dialogs from "./dialogs.js";
import { listen } from "./keys.js";
import { Outbox } from "./outbox.js";
import { Pace } from "./pace.js";
import { Stage } from "./stage.js";

const AHEAD = 3;
const element = (id) => document.getElementById(id);
const bar = element("bar");
const session = bar.dataset.session;
const base = `/api/sessions/${session}`;
const others = new BroadcastChannel(`inpaint-rating-${session}`);

const ahead = new Ahead(base);
const stage = new Stage(element("desk"), element("panes"), element("source-pane"), element("mask-pane"));
const criteria = new Criteria(element("criteria"), (name, stars) => give(name, stars));
const pace = new Pace(element("next"), element("time-left"));
const outbox = new Outbox(session, tellSaved, (_, error) => refused(error));

let overview = null; // {total, done, min_dwell_s, items: [[kind, state, flagged], ...]}
let now = null; // the item that is shown, with its pictures
let wanted = 0; // the position that was asked for last: whatever comes later for another is not shown
let lastSkip = null; // position of a skip that Undo takes back first

// --- telling ---------------------------------------------------------------------------------------------------------

function tell(text, warn = false) {
  element("told").textContent = text;
  element("told").classList.toggle("warn", warn);
}

function tellSaved(state) {
  const words = { saved: "Saved", saving: "Saving", failing: "Not saved yet, trying again" };
  element("saved").textContent = words[state];
  element("saved").className = `saved ${state}`;
}

function refused(error) {
  tell(error.message, true);
  if (error.status === 401 || error.status === 403) window.location.reload();
}

function tellProgress() {
  const open = overview.items.filter(([, state]) => state === "open").length;
  element("progress").value = overview.total - open;
  element("progress-text").textContent = `${overview.total - open} of ${overview.total}`;
  pace.tell(open);
}

// --- going from item to item -----------------------------------------------------------------------------------------

const state = (position) => overview.items[position - 1][1];

function nextOpen(after) {
  for (let step = 1; step <= overview.total; step += 1) {
    const position = ((after - 1 + step) % overview.total) + 1;
    if (state(position) === "open") return position;
  }
  return null;
}

async function show(position) {
  wanted = position;
  const loading = ahead.load(position);
  const slow = setTimeout(() => tell("Getting the pictures…"), 300);
  let loaded;
  try {
    loaded = await loading;
  } catch (error) {
    if (wanted !== position) return;
    if (error instanceof Refused) return refused(error);
    tell("The pictures do not come. Trying again…", true);
    setTimeout(() => wanted === position && show(position), 2_000);
    return;
  } finally {
    clearTimeout(slow);
  }
  if (wanted !== position) return;
  now = loaded;
  draw();
  noteShown(position);
  for (let step = 0, at = position; step < AHEAD; step += 1) {
    at = nextOpen(at);
    if (at === null || at === position) break;
    ahead.load(at).catch(() => {});
  }
}

function draw() {
  const { item } = now;
  stage.show(now);
  criteria.show(item.criteria, item.stars);
  element("prompt").textContent = item.prompt || "No prompt: the masked part was to be filled in.";
  element("negative").hidden = !item.negative_prompt;
  element("negative").textContent = `and not: ${item.negative_prompt}`;
  element("place").textContent = `Item ${item.position} of ${overview.total}`;
  element("flag").setAttribute("aria-pressed", String(item.flagged));
  element("waiting").hidden = true;
  element("desk").hidden = false;
  element("next").style.removeProperty("--dwell");
  history.replaceState(null, "", `#${item.position}`);
  tell(item.skipped ? "You skipped this one. Stars count all the same." : "");
  pace.begin(Object.keys(item.stars).length ? 0 : overview.min_dwell_s);
  criteria.focus(criteria.current);
  tellProgress();
  document.documentElement.dataset.shown = String(item.position);
}

// From here on the server counts the seconds; it also knows of stars that another tab has given.
async function noteShown(position) {
  try {
    const fresh = await ask("GET", `${base}/items/${position}`);
    if (now?.item.position === position && !outbox.entries.length) merge(fresh);
  } catch {
    // The first stars wait until it has been told.
  }
}

function merge(fresh) {
  const changed = JSON.stringify(fresh.stars) !== JSON.stringify(now.item.stars);
  Object.assign(now.item, { stars: fresh.stars, skipped: fresh.skipped, flagged: fresh.flagged });
  if (!changed) return;
  for (const name of now.item.criteria) criteria.set(name, fresh.stars[name] ?? null);
  if (Object.keys(fresh.stars).length) pace.minS = 0;
}

async function refresh() {
  try {
    const fresh = await ask("GET", base);
    if (fresh.finished) window.location.assign(`/rate/${session}/reveal`);
    overview = fresh;
    pace.serverS ??= fresh.pace_s;
  } catch (error) {
    if (error instanceof Refused) refused(error);
    else setTimeout(() => overview ?? start(), 2_000);
  }
}

// --- what a rater does -----------------------------------------------------------------------------------------------

// Between an item and the next one whose pictures are still on their way, nothing is said of either.
const settled = () => now !== null && now.item.position === wanted;

function give(name, stars) {
  if (!settled()) return criteria.set(name, now.item.stars[name] ?? null);
  const left = pace.left();
  if (left > 0) {
    criteria.set(name, now.item.stars[name] ?? null);
    tell(`Look a little longer: ${Math.ceil(left)} s more.`, true);
    return;
  }
  const { item } = now;
  item.stars[name] = stars;
  criteria.set(name, stars);
  criteria.advance(name);
  save(`items/${item.position}/ratings/${newId()}`, {
    criterion: name,
    stars,
    duration_s: Number(pace.seconds().toFixed(3)),
    ui_version: `page ${bar.dataset.version}`,
  });
  lastSkip = null;
  if (!criteria.missing().length && state(item.position) !== "rated") {
    if (state(item.position) === "open") pace.done();
    overview.items[item.position - 1][1] = item.skipped ? "skipped" : "rated";
    tellProgress();
    tell("");
  }
}

function save(path, body) {
  outbox.add(`${base}/${path}`, body);
  outbox.empty().then(() => others.postMessage({ position: now?.item.position }));
}

async function next() {
  const missing = criteria.missing();
  if (missing.length && state(now.item.position) === "open") {
    criteria.focus(criteria.names.indexOf(missing[0]));
    tell(`${criteria.title(missing[0])} has no stars yet. Press S to skip this one.`, true);
    return;
  }
  const position = nextOpen(now.item.position);
  if (position !== null) return show(position);
  if (await dialogs.wantsToFinish()) await finish();
}

function back() {
  if (now.item.position > 1) show(now.item.position - 1);
}

async function mark(kind) {
  if (!settled()) return;
  const { item } = now;
  const why = await dialogs.reason(kind);
  if (why === null) return;
  save(`items/${item.position}/events/${newId()}`, { kind, reason: why });
  if (kind === "flag") {
    item.flagged = true;
    element("flag").setAttribute("aria-pressed", "true");
    tell("Flagged. Rate it all the same, or skip it.");
    return;
  }
  item.skipped = true;
  overview.items[item.position - 1][1] = "skipped";
  lastSkip = item.position;
  await next();
}

async function undo() {
  await outbox.empty();
  if (lastSkip !== null) {
    const position = lastSkip;
    lastSkip = null;
    save(`items/${position}/events/${newId()}`, { kind: "unskip" });
    await again(position, "No longer skipped.");
    return;
  }
  try {
    const undone = await ask("PUT", `${base}/undo/${newId()}`);
    const before = undone.now === null ? "" : ` It is ${undone.now} again.`;
    await again(undone.position, `Took back ${undone.stars} for ${criteria.title(undone.criterion)}.${before}`);
    criteria.focus(criteria.names.indexOf(undone.criterion));
    others.postMessage({ position: undone.position });
  } catch (error) {
    tell(error.message, true);
  }
}

async function again(position, words) {
  await outbox.empty();
  ahead.found.delete(position);
  await refresh();
  await show(position);
  tell(words);
}

async function finish() {
  await outbox.empty();
  try {
    await ask("POST", `${base}/finish`);
    window.location.assign(`/rate/${session}/reveal`);
  } catch (error) {
    tell(error.message, true);
    await refresh();
    const open = nextOpen(now.item.position);
    if (open !== null) await show(open);
  }
}

// --- beginning -------------------------------------------------------------------------------------------------------

async function start() {
  await refresh();
  if (!overview) return;
  const named = Number(window.location.hash.slice(1));
  const there = Number.isInteger(named) && named >= 1 && named <= overview.total;
  await show(there ? named : (nextOpen(overview.total) ?? 1));
}

const does = { enter: next, b: back, u: undo, "?": dialogs.help };
for (const digit of "01234") does[digit] = () => criteria.press(Number(digit)) || tell("All are rated. Enter goes on.");
for (const digit of "56789") does[digit] = () => tell("Stars go from 0 to 4.", true);
for (const [key, kind] of [["s", "skip"], ["f", "flag"]]) does[key] = () => mark(kind);
for (const [key, tool] of [["m", "outline"], ["z", "zoom"], ["d", "difference"]]) does[key] = () => stage.toggle(tool);
const ready = (act) => () => now && act();
listen(Object.fromEntries(Object.entries(does).map(([key, act]) => [key, ready(act)])), (held) => now && stage.toggle("source", held));
for (const [id, act] of [["next", next], ["back", back], ["undo", undo], ["skip", () => mark("skip")], ["flag", () => mark("flag")]]) {
  element(id).addEventListener("click", ready(act));
}
element("help-button").addEventListener("click", dialogs.help);

// A finger has no hover and no keys. What the browser says of its screen is not always so: a first touch is.
const touched = () => document.documentElement.classList.add("touch");
if (window.matchMedia("(hover: none)").matches) touched();
window.addEventListener("touchstart", touched, { once: true, passive: true });

// Another tab has saved something, or this one was away.
async function lookAgain() {
  if (!now || outbox.entries.length) return;
  await refresh();
  tellProgress();
  noteShown(now.item.position);
}
others.addEventListener("message", lookAgain);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && lookAgain());
start();

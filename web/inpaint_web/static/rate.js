// The rating page: one item after another. Everything that is saved goes through the outbox.
import { Ahead } from "./ahead.js";
import { Refused, ask, newId } from "./api.js";
import { Arrangement } from "./arrange.js";
import { Criteria } from "./criteria.js";
import * as dialogs from "./dialogs.js";
import { listen } from "./keys.js";
import { Looking } from "./looking.js";
import { More } from "./more.js";
import { Outbox } from "./outbox.js";
import { Pace } from "./pace.js";
import { Stage } from "./stage.js";
import { tell, tellSaved } from "./telling.js";

const AHEAD = 3;
//: A page that was left open over a night says no more than the server keeps.
const LONGEST_S = 86_400;
const UNDO_WAITS_MS = 10_000;
const FINISH_WAITS_MS = 30_000;
const element = (id) => document.getElementById(id);
const bar = element("bar");
const session = bar.dataset.session;
const base = `/api/sessions/${session}`;
const others = new BroadcastChannel(`inpaint-rating-${session}`);

const ahead = new Ahead(base);
const stage = new Stage(element("desk"), element("panes"), element("source-pane"), element("mask-pane"));
const arrangement = new Arrangement(element("pictures"), element("panes"), element("refs"), () => stage.zoom());
const more = new More(element("asked-text"), element("prompt-more"));
const criteria = new Criteria(element("criteria"), give);
const pace = new Pace(element("next"), element("time-left"));
const outbox = new Outbox(session, tellSaved, notTaken);
const looking = new Looking(base, () => now?.item.position ?? null, (path) => outbox.starsOf(path), merge);

let overview = null; // {total, done, min_dwell_s, items: [[kind, state, flagged], ...]}
let now = null; // the item that is shown, with its pictures
let wanted = 0; // the position that was asked for last: whatever comes later for another is not shown
let lastSkip = null; // position of a skip that Undo takes back first

// --- telling ---------------------------------------------------------------------------------------------------------

function refused(error) {
  tell(error.message, true);
  if (error.status === 401 || error.status === 403) window.location.reload();
}

// What the page took for given is not: it has to show that, too.
async function notTaken(entry, error) {
  if (error.status === 404) {
    tell("Somebody else has come in with this browser. Your last stars wait here until you open your link again.", true);
    return;
  }
  refused(error);
  if (error.status === 401 || error.status === 403) return;
  const position = Number(/\/items\/(\d+)\//.exec(entry.path)[1]);
  ahead.found.delete(position);
  await refresh();
  if (!now) return;
  if (now.item.position === position) {
    await looking.again();
    const [missing] = criteria.missing();
    if (missing) criteria.focus(criteria.names.indexOf(missing));
  }
  tellProgress();
  tell(`Item ${position}: this was not saved. ${error.message}`, true);
}

function tellProgress() {
  const open = overview.items.filter(([, state]) => state === "open").length;
  element("progress").value = overview.total - open;
  element("progress-text").textContent = `${overview.total - open} of ${overview.total}`;
  pace.tell(open);
}

const isTouch = () => document.documentElement.classList.contains("touch");

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
  Object.assign(now.item.stars, outbox.starsOf(`${base}/items/${position}`));
  draw();
  looking.begin(position);
  for (let step = 0, at = position; step < AHEAD; step += 1) {
    at = nextOpen(at);
    if (at === null || at === position) break;
    ahead.load(at).catch(() => {});
  }
}

function draw() {
  const { item } = now;
  element("waiting").hidden = true;
  element("desk").hidden = false;
  more.open(false);
  stage.show(now);
  criteria.show(item.criteria, item.stars);
  element("prompt").textContent = item.prompt || "No prompt: the masked part was to be filled in.";
  element("negative").textContent = item.negative_prompt;
  for (const id of ["negative", "negative-name"]) element(id).hidden = !item.negative_prompt;
  arrangement.show(now);
  element("place").textContent = `Item ${item.position} of ${overview.total}`;
  element("flag").setAttribute("aria-pressed", String(item.flagged));
  element("next").style.removeProperty("--dwell");
  history.replaceState(null, "", `#${item.position}`);
  tell(item.skipped ? "You skipped this one. Stars count all the same." : "");
  pace.begin(Object.keys(item.stars).length ? 0 : overview.min_dwell_s);
  criteria.focus(criteria.current, false);
  window.scrollTo(0, 0);
  tellProgress();
  document.documentElement.dataset.shown = String(item.position);
}

function merge(fresh) {
  const changed = JSON.stringify(fresh.stars) !== JSON.stringify(now.item.stars);
  Object.assign(now.item, { stars: fresh.stars, skipped: fresh.skipped, flagged: fresh.flagged });
  if (!changed) return;
  for (const name of now.item.criteria) criteria.set(name, fresh.stars[name] ?? null);
  const waiting = outbox.starsOf(`${base}/items/${now.item.position}`);
  if (Object.keys(fresh.stars).some((name) => !(name in waiting))) pace.minS = 0;
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

// `moveOn`: the next question is the current one then.
function give(name, stars, moveOn = true) {
  if (!settled()) return criteria.set(name, now.item.stars[name] ?? null);
  const { item } = now;
  looking.given();
  item.stars[name] = stars;
  criteria.set(name, stars);
  if (moveOn) criteria.advance(name);
  save(`items/${item.position}/ratings/${newId()}`, {
    criterion: name,
    stars,
    duration_s: Number(Math.min(pace.seconds(), LONGEST_S).toFixed(3)),
    ui_version: `page ${bar.dataset.version}`,
  }, pace.left()); // Whoever is quick has meant it: it waits here until the server will take it.
  lastSkip = null;
  if (!criteria.missing().length && state(item.position) !== "rated") {
    if (state(item.position) === "open") pace.done();
    overview.items[item.position - 1][1] = item.skipped ? "skipped" : "rated";
    tellProgress();
    tell("");
  }
}

function save(path, body, restS = 0) {
  outbox.add(`${base}/${path}`, body, restS * 1000);
  outbox.empty().then(() => others.postMessage({ position: now?.item.position }));
}

async function next() {
  criteria.settle();
  const missing = criteria.missing();
  if (missing.length && state(now.item.position) === "open") {
    criteria.focus(criteria.names.indexOf(missing[0]));
    const skip = isTouch() ? "Skip leaves this one out." : "Press S to skip this one.";
    tell(`${criteria.title(missing[0])} has no stars yet. ${skip}`, true);
    return;
  }
  if (pace.left() > 0 && Object.keys(now.item.stars).length) {
    tell(`Look a little longer: ${Math.ceil(pace.left())} s more.`, true);
    return;
  }
  const position = nextOpen(now.item.position);
  if (position !== null) return show(position);
  if (await dialogs.wantsToFinish()) await finish();
}

function back() {
  criteria.settle();
  if (now.item.position > 1) show(now.item.position - 1);
}

async function mark(kind) {
  if (!settled()) return;
  criteria.settle();
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
  criteria.settle();
  if (!(await outbox.empty(UNDO_WAITS_MS))) return tell("Your last stars are not saved yet. Undo works once they are.", true);
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
  await outbox.empty(UNDO_WAITS_MS);
  ahead.found.delete(position);
  await refresh();
  await show(position);
  tell(words);
}

async function finish() {
  tell("Saving what is left…");
  if (!(await outbox.empty(FINISH_WAITS_MS))) return tell("Not everything is saved yet. Try again when it is.", true);
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
  const hash = window.location.hash.slice(1);
  const named = Number(hash);
  const there = Number.isInteger(named) && named >= 1 && named <= overview.total;
  const waiting = outbox.entries.length > 0;
  await show(there ? named : (nextOpen(overview.total) ?? 1));
  if (hash === "finish" && nextOpen(overview.total) === null && (await dialogs.wantsToFinish())) await finish();
  if (waiting) outbox.empty().then(lookAgain);
}

const meanings = () => dialogs.meanings(now.item.criteria);
const does = { enter: next, b: back, u: undo, w: meanings, "?": dialogs.help };
for (const digit of "01234") does[digit] = () => criteria.press(Number(digit)) || tell("All are rated. Enter goes on.");
for (const digit of "56789") does[digit] = () => tell("Stars go from 0 to 4.", true);
for (const [key, kind] of [["s", "skip"], ["f", "flag"]]) does[key] = () => mark(kind);
for (const [key, tool] of [["m", "outline"], ["z", "zoom"], ["d", "difference"]]) does[key] = () => stage.toggle(tool);
const ready = (act) => () => now && act();
listen(Object.fromEntries(Object.entries(does).map(([key, act]) => [key, ready(act)])), (held) => now && stage.toggle("source", held));
for (const [id, act] of [["next", next], ["back", back], ["undo", undo], ["skip", () => mark("skip")], ["flag", () => mark("flag")], ["meanings-button", meanings]]) {
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
  await looking.again();
}
others.addEventListener("message", lookAgain);
document.addEventListener("visibilitychange", async () => {
  if (document.visibilityState !== "visible" || !now) return;
  await lookAgain();
  looking.begin(now.item.position);
});
window.addEventListener("pagehide", () => criteria.settle());
start();

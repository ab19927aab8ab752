// What is still to be saved. It survives a reload and a closed tab, and is sent again until it has arrived; every entry
// has an id that the server knows it by, so that sending it twice saves it once. What is said of one item is sent in
// order, and no item holds up another. A session is one rater's alone: whoever else uses the browser leaves it be.
import { Refused, ask } from "./api.js";

const LONGEST_PAUSE_MS = 8_000;
const AWAY_PAUSE_MS = 60_000;
//: Later than this an entry is not being saved any more: it waits.
const LATE_MS = 10_000;

const itemOf = (entry) => entry.path.replace(/\/(ratings|events)\/[^/]*$/, "");

export class Outbox {
  // `told(state)`: "saved", "saving", "failing", or "declined" if the last was not taken; `refused(entry, error)`: the
  // server does not take it, for good or (401, 403, 404) from whoever is signed in now.
  constructor(session, told, refused) {
    this.prefix = `inpaint-outbox/${session}/`;
    this.told = told;
    this.refused = refused;
    this.entries = this.left();
    this.rests = new Map(); // item -> until when, by `performance.now()`
    this.looking = 0; // until when the server has an item open for us
    this.sending = false;
    this.leaving = false;
    this.declined = false;
    this.failures = 0;
    this.waiters = [];
    this.wake = null;
    window.addEventListener("online", () => this.wake?.());
    window.addEventListener("beforeunload", (event) => {
      if (this.entries.length && !this.leaving) event.preventDefault();
    });
    this.run();
  }

  // `restMs`: for so long the server would not take it, nor anything else that is said of the item.
  add(path, body, restMs = 0) {
    const waited = this.failures > 0 || this.looking > performance.now();
    const entry = { path, body, at: Date.now() + Math.random(), waited };
    if (restMs > 0) this.rests.set(itemOf(entry), performance.now() + restMs + 20);
    this.entries.push(entry);
    try {
      localStorage.setItem(this.prefix + path, JSON.stringify(entry));
    } catch {
      // Full or forbidden: then it lives as long as this page does.
    }
    this.wake?.();
    this.run();
  }

  // Resolves to true once nothing is left to be sent; to false after so many ms, if any are given.
  empty(patienceMs = 0) {
    if (!this.entries.length) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.waiters.push(() => resolve(true));
      if (patienceMs) setTimeout(() => resolve(false), patienceMs);
    });
  }

  // Stars that wait for an item, by criterion.
  starsOf(item) {
    const own = this.entries.filter((entry) => itemOf(entry) === item && entry.body.criterion !== undefined);
    return Object.fromEntries(own.map(({ body }) => [body.criterion, body.stars]));
  }

  left() {
    const found = [];
    try {
      for (let number = 0; number < localStorage.length; number += 1) {
        const key = localStorage.key(number);
        if (!key.startsWith(this.prefix)) continue;
        found.push({ ...JSON.parse(localStorage.getItem(key)), waited: true });
      }
    } catch {
      return [];
    }
    return found.sort((one, other) => one.at - other.at);
  }

  async run() {
    if (this.sending) return;
    this.sending = true;
    while (this.entries.length) {
      const late = Date.now() - this.entries[0].at > LATE_MS;
      this.told(this.failures || late ? "failing" : "saving");
      const entry = this.due();
      if (entry) await this.send(entry);
      else await this.pause(Math.min(...this.rests.values()) - performance.now());
    }
    this.sending = false;
    this.told(this.declined ? "declined" : "saved");
    for (const resolve of this.waiters.splice(0)) resolve();
  }

  // The oldest entry of an item that does not rest.
  due() {
    for (const [item, until] of this.rests) if (until <= performance.now()) this.rests.delete(item);
    return this.entries.find((entry) => !this.rests.has(itemOf(entry)));
  }

  async send(entry) {
    const { path, body, at } = entry;
    // What is sent at once counts in the order in which it arrives. To tell how long it waited would put keys that are
    // pressed milliseconds apart into the order in which the network was quick.
    const waited = entry.waited ? Math.max(0, Number(((Date.now() - at) / 1000).toFixed(3))) : 0;
    try {
      await ask("PUT", path, body.criterion === undefined ? body : { ...body, waited_s: waited });
    } catch (error) {
      for (const each of this.entries) each.waited = true;
      if (!(error instanceof Refused)) await this.fail(error);
      else if (error.code === "too_soon") await this.look(itemOf(entry), error.waitS * 1000);
      else if ([401, 403, 404].includes(error.status)) await this.stay(entry, error);
      else this.decline(entry, error);
      return;
    }
    this.failures = 0;
    this.declined = false;
    this.forget(entry);
  }

  async fail(error) {
    this.failures += 1;
    this.told("failing");
    await this.pause(error.waitS * 1000 || Math.min(LONGEST_PAUSE_MS, 250 * 2 ** this.failures));
  }

  // The server has not seen the item looked at for long enough, perhaps since it never heard that it was shown. It has
  // one item open at a time: others wait for their turn.
  async look(item, ms) {
    const now = performance.now();
    if (this.looking > now) {
      this.rests.set(item, this.looking);
      return;
    }
    try {
      await ask("GET", item);
    } catch (error) {
      if (!(error instanceof Refused)) return this.fail(error);
    }
    this.looking = performance.now() + ms + 20;
    this.rests.set(item, this.looking);
  }

  // Whoever comes back in by their link finds it here, and it is sent then.
  async stay(entry, error) {
    this.leaving = true;
    this.told("failing");
    this.refused(entry, error);
    await this.pause(AWAY_PAUSE_MS);
  }

  decline(entry, error) {
    this.declined = true;
    this.forget(entry);
    this.refused(entry, error);
  }

  forget(entry) {
    this.entries = this.entries.filter((each) => each !== entry);
    try {
      localStorage.removeItem(this.prefix + entry.path);
    } catch {
      // See `add`.
    }
  }

  pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

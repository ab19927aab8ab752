// What is still to be saved. It survives a reload and a closed tab, is sent in order, and again until it has arrived;
// every entry has an id that the server knows it by, so that sending it twice saves it once.
import { Refused, ask } from "./api.js";

const LONGEST_PAUSE_MS = 8_000;

export class Outbox {
  // `told(state, message)`: "saved", "saving" or "failing"; `refused(entry, error)`: the server will never take it.
  constructor(session, told, refused) {
    this.prefix = `inpaint-outbox/${session}/`;
    this.told = told;
    this.refused = refused;
    this.entries = this.left();
    this.sending = false;
    this.leaving = false;
    this.failures = 0;
    this.waiters = [];
    this.wake = null;
    window.addEventListener("online", () => this.wake?.());
    window.addEventListener("beforeunload", (event) => {
      if (this.entries.length && !this.leaving) event.preventDefault();
    });
    this.run();
  }

  add(path, body) {
    const entry = { id: path, path, body, at: Date.now() + Math.random() };
    this.entries.push(entry);
    try {
      localStorage.setItem(this.prefix + entry.id, JSON.stringify(entry));
    } catch {
      // Full or forbidden: then it lives as long as this page does.
    }
    this.run();
  }

  // Resolves once nothing is left to be sent.
  empty() {
    if (!this.entries.length) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  left() {
    const found = [];
    try {
      for (let number = 0; number < localStorage.length; number += 1) {
        const key = localStorage.key(number);
        if (key.startsWith(this.prefix)) found.push(JSON.parse(localStorage.getItem(key)));
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
      this.told(this.failures ? "failing" : "saving");
      await this.send(this.entries[0]);
    }
    this.sending = false;
    this.told("saved");
    for (const resolve of this.waiters.splice(0)) resolve();
  }

  async send(entry) {
    try {
      await ask("PUT", entry.path, entry.body);
    } catch (error) {
      if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
        // Whoever comes back in by a link finds it here, and it is sent then.
        this.leaving = true;
        this.told("failing");
        this.refused(entry, error);
        await this.pause(60_000);
        return;
      }
      if (error instanceof Refused && error.code !== "too_soon") {
        this.forget(entry);
        this.refused(entry, error);
        return;
      }
      if (!(error instanceof Refused)) this.failures += 1;
      if (this.failures) this.told("failing");
      await this.pause(error.waitS * 1000 || Math.min(LONGEST_PAUSE_MS, 250 * 2 ** this.failures));
      return;
    }
    this.failures = 0;
    this.forget(entry);
  }

  forget(entry) {
    this.entries = this.entries.filter((each) => each !== entry);
    try {
      localStorage.removeItem(this.prefix + entry.id);
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

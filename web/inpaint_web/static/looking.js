// What the server knows of the item that is shown: that it is before the rater, and which stars it has.
import { Refused, ask } from "./api.js";

const LONGEST_PAUSE_MS = 8_000;

export class Looking {
  // `shown()`: the position of the item that is shown, or null; `waiting(path)`: stars that are not saved yet, by
  // criterion; `changed(item)`: the item as the server has it, with those.
  constructor(base, shown, waiting, changed) {
    this.base = base;
    this.shown = shown;
    this.waiting = waiting;
    this.changed = changed;
    this.gives = 0; // how often stars were given here
    this.tries = 0; // number of the last try to say that an item is shown
  }

  // Stars were given here: they are newer than an answer that is on its way.
  given() {
    this.gives += 1;
  }

  // From here on the server counts the seconds. Where it cannot be told, that is tried again while the item is shown.
  async begin(position) {
    this.tries += 1;
    const mine = this.tries;
    for (let pause = 500; mine === this.tries && this.shown() === position; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        await this.ask(position, "");
        return;
      } catch (error) {
        if (error instanceof Refused) return;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  // Another tab may have given stars. Nothing is noted by this.
  async again() {
    const position = this.shown();
    if (position !== null) await this.ask(position, "?peek=true").catch(() => {});
  }

  async ask(position, how) {
    const path = `${this.base}/items/${position}`;
    const before = this.gives;
    const waiting = this.waiting(path);
    const fresh = await ask("GET", path + how);
    if (this.shown() !== position || this.gives !== before) return;
    Object.assign(fresh.stars, waiting);
    this.changed(fresh);
  }
}

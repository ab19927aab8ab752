// Time: how long an item has been looked at, and how long the rest will take.

export class Pace {
  constructor(bar, timeLeft) {
    this.bar = bar;
    this.timeLeft = timeLeft;
    this.minS = 0;
    this.shownAt = 0;
    this.took = [];
    this.serverS = null;
  }

  begin(minS) {
    this.minS = minS;
    this.shownAt = performance.now();
    const step = () => {
      const share = this.minS > 0 ? Math.max(0, 1 - this.seconds() / this.minS) : 0;
      this.bar.style.setProperty("--dwell", share.toFixed(3));
      if (share > 0) requestAnimationFrame(step);
    };
    step();
  }

  seconds() {
    return (performance.now() - this.shownAt) / 1000;
  }

  // Seconds that are still to be looked; 0: stars are welcome.
  left() {
    return Math.max(0, this.minS - this.seconds());
  }

  done() {
    this.took.push(Math.min(this.seconds(), 300));
    if (this.took.length > 40) this.took.shift();
  }

  tell(items) {
    const sorted = [...this.took].sort((one, other) => one - other);
    const each = sorted.length >= 3 ? sorted[Math.floor(sorted.length / 2)] : this.serverS;
    if (!items || each === null) {
      this.timeLeft.textContent = "";
      return;
    }
    const minutes = Math.max(1, Math.round((items * each) / 60));
    this.timeLeft.textContent = minutes < 90 ? `about ${minutes} min left` : `about ${(minutes / 60).toFixed(1)} h left`;
  }
}

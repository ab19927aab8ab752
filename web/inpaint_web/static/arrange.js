// Where the pictures of an item lie: the results as large as they can be, whatever their shape and that of the screen.

const GAP = 10;
//: Source and mask get such a share of the width (beside the results) or of the height (below them).
const SHARES = [0.2, 0.22, 0.25, 0.28, 0.31, 0.34, 0.37, 0.4];
//: What a pixel more of the source is worth, in pixels of a result.
const WORTH = 0.3;

// How wide a picture is when it is seen whole.
const fit = (width, height, aspect) => Math.min(width, height * aspect);

// `count` of them in so many columns: how wide each is, and the cell that it lies in.
function grid(count, columns, width, height, aspect) {
  const rows = Math.ceil(count / columns);
  const cell = { width: (width - GAP * (columns - 1)) / columns, height: (height - GAP * (rows - 1)) / rows };
  return { columns, cell, free: columns * rows - count, wide: fit(cell.width, cell.height, aspect) };
}

// Every way to lay them. `aspect`: width by height of the pictures; `references`: source, and mask if there is one.
function* ways(width, height, aspect, results, references) {
  const inRow = (w, h) => fit((w - GAP * (references - 1)) / references, h, aspect);
  const inColumn = (w, h) => fit(w, (h - GAP * (references - 1)) / references, aspect);
  for (let columns = 1; columns <= results; columns += 1) {
    for (const share of SHARES) {
      const across = Math.round(share * width);
      const along = Math.round(share * height);
      const left = grid(results, columns, width - across - GAP, height, aspect);
      const above = grid(results, columns, width, height - along - GAP, aspect);
      yield { place: "beside", ...left, room: { width: across, height }, flow: "row", small: inColumn(across, height) };
      yield { place: "below", ...above, room: { width, height: along }, flow: "column", small: inRow(width, along) };
    }
    const whole = grid(results, columns, width, height, aspect);
    if (whole.free) {
      // Cells that are left over are theirs.
      const room = { width: whole.free * whole.cell.width + GAP * (whole.free - 1), height: whole.cell.height };
      const [row, column] = [inRow(room.width, room.height), inColumn(room.width, room.height)];
      yield { place: "within", ...whole, room, flow: row > column ? "column" : "row", small: Math.max(row, column) };
    }
  }
}

export function arrangement(...about) {
  // A hole among the results is a pity, where it need not be.
  const hole = (way) => (way.free && way.place !== "within" ? 0.94 : 1);
  const worth = (way) => hole(way) * way.wide + WORTH * Math.min(way.small, way.wide);
  return [...ways(...about)].reduce((best, way) => (worth(way) > worth(best) + 1 ? way : best));
}

export class Arrangement {
  // `moved`: called whenever pictures have got another place or size.
  constructor(pictures, panes, refs, moved) {
    Object.assign(this, { pictures, panes, refs, moved, loaded: null });
    new ResizeObserver(() => this.lay()).observe(pictures);
  }

  show(loaded) {
    this.loaded = loaded;
    this.lay();
  }

  lay() {
    const { clientWidth: width, clientHeight: height } = this.pictures;
    if (!this.loaded || !width || !height) return;
    const { source, mask, results } = this.loaded;
    const way = arrangement(width, height, source.naturalWidth / source.naturalHeight, results.length, mask ? 2 : 1);
    const { style } = this.pictures;
    style.setProperty("--beside", way.place === "beside" ? `${way.room.width + GAP}px` : "0px");
    style.setProperty("--below", way.place === "below" ? `${way.room.height + GAP}px` : "0px");
    Object.assign(this.refs.style, { width: `${way.room.width}px`, height: `${way.room.height}px`, gridAutoFlow: way.flow });
    this.panes.style.gridTemplateColumns = `repeat(${way.columns}, minmax(0, 1fr))`;
    this.moved();
  }
}

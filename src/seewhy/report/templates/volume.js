const all = (query) => [...document.querySelectorAll(query)];
const one = (id) => document.getElementById(id);
const about = JSON.parse(one("stack").textContent);
const at = [...about.at];
const sides = [["R", "L", "A", "P"], ["R", "L", "S", "I"], ["A", "P", "S", "I"]];

// A mosaic holds the slices of a stack side by side: the values of all of them, one after the other.
const values = (image, [depth, height, width]) => {
  const columns = Math.ceil(Math.sqrt((depth * height) / width));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  const found = new Uint8Array(depth * height * width);
  let next = 0;
  for (let slice = 0; slice < depth; slice++)
    for (let row = 0; row < height; row++) {
      let from = 4 * ((Math.floor(slice / columns) * height + row) * canvas.width + (slice % columns) * width);
      for (let column = 0; column < width; column++, from += 4) found[next++] = pixels[from];
    }
  return found;
};

// Rows, columns and where each pixel of a plane is in its stack; the head is above in the second and third plane.
const cut = (axis, [depth, height, width], place) => {
  if (axis === 0) return [height, width, (row, column) => (place * height + row) * width + column];
  if (axis === 1) return [depth, width, (row, column) => ((depth - 1 - row) * height + place) * width + column];
  return [depth, height, (row, column) => ((depth - 1 - row) * height + column) * width + place];
};

const painted = (axis, size, place, paint) => {
  const [rows, columns, index] = cut(axis, size, place);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, rows];
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(columns, rows);
  for (let row = 0, to = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, to += 4) paint(image.data, to, index(row, column));
  pen.putImageData(image, 0, 0);
  return canvas;
};

// The line along which values pass one half, between the centres of pixels.
const line = (axis, size, place, stack, scale) => {
  const [rows, columns, index] = cut(axis, size, place);
  const value = (row, column) => (row < 0 || column < 0 || row >= rows || column >= columns ? 0 : stack[index(row, column)]);
  const path = new Path2D();
  for (let row = -1; row < rows; row++)
    for (let column = -1; column < columns; column++) {
      const corners = [[row, column], [row, column + 1], [row + 1, column + 1], [row + 1, column]].map(([y, x]) => [y, x, value(y, x)]);
      const points = [];
      corners.forEach(([y, x, here], corner) => {
        const [y2, x2, there] = corners[(corner + 1) % 4];
        if (here > 127 === there > 127) return;
        const part = (127.5 - here) / (there - here);
        points.push([(x + part * (x2 - x) + 0.5) * scale, (y + part * (y2 - y) + 0.5) * scale]);
      });
      for (let pair = 0; pair + 1 < points.length; pair += 2) {
        path.moveTo(...points[pair]);
        path.lineTo(...points[pair + 1]);
      }
    }
  return path;
};

const dimmed = (pen, axis, width, height) => {
  const [up, back, left] = about.seen;
  const turned = [1 - up[1], 1 - up[0]];
  const [x, y] = [[left, back], [left, turned], [back, turned]][axis];
  const own = about.seen[axis];
  const share = (at[axis] + 0.5) / about.size[axis];
  pen.save();
  pen.beginPath();
  pen.rect(0, 0, width, height);
  if (share >= own[0] && share <= own[1]) pen.rect(x[0] * width, y[0] * height, (x[1] - x[0]) * width, (y[1] - y[0]) * height);
  pen.clip("evenodd");
  pen.fillStyle = "#14121099";
  pen.fillRect(0, 0, width, height);
  pen.strokeStyle = "#ffffff55";
  pen.lineWidth = 1.5;
  pen.beginPath();
  for (let from = -height; from < width; from += 12) {
    pen.moveTo(from, height);
    pen.lineTo(from + height, 0);
  }
  pen.stroke();
  pen.restore();
};

const start = () => {
  const heat = values(one("heat-mosaic"), about.heat);
  const area = values(one("area-mosaic"), about.size);
  const scans = new Map();
  const scan = () => {
    const chosen = document.querySelector("[name=preset]:checked").value;
    if (!scans.has(chosen)) scans.set(chosen, values(one(`scan-${chosen}`), about.size));
    return scans.get(chosen);
  };
  const whole = about.seen.every(([low, high]) => low < 0.01 && high > 0.99);

  const draw = (plane) => {
    const { canvas, axis } = plane;
    const [rows, columns] = cut(axis, about.size, 0);
    const scale = canvas.width / columns;
    const pen = canvas.getContext("2d");
    const grey = scan();
    pen.imageSmoothingEnabled = true;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(painted(axis, about.size, at[axis], (data, to, index) => {
      data[to] = data[to + 1] = data[to + 2] = grey[index];
      data[to + 3] = 255;
    }), 0, 0, canvas.width, canvas.height);
    if (one("map").checked) {
      const cell = Math.min(about.heat[axis] - 1, Math.floor(((at[axis] + 0.5) * about.heat[axis]) / about.size[axis]));
      pen.globalAlpha = one("opacity").value / 100;
      pen.drawImage(painted(axis, about.heat, cell, (data, to, index) => data.set(about.colours[heat[index]], to)), 0, 0, canvas.width, canvas.height);
      pen.globalAlpha = 1;
    }
    if (!whole) dimmed(pen, axis, canvas.width, canvas.height);
    if (one("line").checked) {
      const path = line(axis, about.size, at[axis], area, scale);
      for (const [ink, width] of [["#141210", 4.5], ["#fff", 2]]) {
        pen.strokeStyle = ink;
        pen.lineWidth = width;
        pen.lineCap = "round";
        pen.stroke(path);
      }
    }
    if (one("cross").checked) cross(pen, axis, scale, canvas);
    if (about.named) letters(pen, axis, canvas);
    plane.where.textContent = placed(axis);
    plane.slider.value = at[axis];
    plane.slider.setAttribute("aria-valuetext", placed(axis));
  };

  const cross = (pen, axis, scale, canvas) => {
    const y = ((axis === 0 ? at[1] : about.size[0] - 1 - at[0]) + 0.5) * scale;
    const x = ((axis === 2 ? at[1] : at[2]) + 0.5) * scale;
    const gap = canvas.width / 16;
    pen.strokeStyle = "#78c8ffb0";
    pen.lineWidth = 1.5;
    pen.beginPath();
    for (const [from, to] of [[[0, y], [x - gap, y]], [[x + gap, y], [canvas.width, y]], [[x, 0], [x, y - gap]], [[x, y + gap], [x, canvas.height]]]) {
      pen.moveTo(...from);
      pen.lineTo(...to);
    }
    pen.stroke();
  };

  const letters = (pen, axis, { width, height }) => {
    const size = Math.round(width / 20);
    pen.font = `600 ${size}px system-ui, sans-serif`;
    pen.lineWidth = size / 5;
    pen.strokeStyle = "#141210";
    pen.fillStyle = "#fff";
    pen.textBaseline = "middle";
    const [left, right, above, under] = sides[axis];
    for (const [letter, x, y, align] of [[left, size / 3, height / 2, "left"], [right, width - size / 3, height / 2, "right"], [above, width / 2, size * 0.7, "center"], [under, width / 2, height - size * 0.7, "center"]]) {
      pen.textAlign = align;
      pen.strokeText(letter, x, y);
      pen.fillText(letter, x, y);
    }
  };

  const placed = (axis) => {
    const last = about.size[axis] - 1;
    if (!about.named) return `${at[axis] + 1} of ${last + 1}`;
    const [first, end] = about.ends[axis];
    const place = last ? first + ((end - first) * at[axis]) / last : first;
    const letter = (place < 0 ? ["I", "A", "R"] : ["S", "P", "L"])[axis];
    return `${letter} ${Math.abs(place).toFixed(0)} mm`;
  };

  const planes = all(".plane").map((figure) => {
    const axis = Number(figure.dataset.axis);
    const [rows, columns] = cut(axis, about.size, 0);
    const scale = Math.max(2, Math.ceil(640 / Math.max(rows, columns)));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [columns * scale, rows * scale];
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", figure.querySelector("img").alt);
    figure.querySelector(".view").replaceChildren(canvas);
    figure.querySelector(".slide").hidden = false;
    return { axis, canvas, rows, columns, slider: figure.querySelector("input"), where: figure.querySelector(".where") };
  });

  let waiting = false;
  const show = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      planes.forEach(draw);
    });
  };
  const move = (axis, place) => {
    at[axis] = Math.max(0, Math.min(about.size[axis] - 1, place));
    show();
  };

  for (const { axis, canvas, rows, columns, slider } of planes) {
    slider.addEventListener("input", () => move(axis, Number(slider.value)));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      move(axis, at[axis] + (event.deltaY > 0 ? -1 : 1));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (!step) return;
      event.preventDefault();
      move(axis, at[axis] + step);
    });
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const fit = Math.min(box.width / columns, box.height / rows);
      const column = Math.floor((event.clientX - box.left - (box.width - columns * fit) / 2) / fit);
      const row = Math.floor((event.clientY - box.top - (box.height - rows * fit) / 2) / fit);
      if (column < 0 || row < 0 || column >= columns || row >= rows) return;
      if (axis === 0) at.splice(1, 2, row, column);
      else at[0] = about.size[0] - 1 - row;
      if (axis === 1) at[2] = column;
      if (axis === 2) at[1] = column;
      show();
    });
  }
  for (const input of [...all("[name=preset]"), one("map"), one("line"), one("cross"), one("opacity")]) input.addEventListener("input", show);
  for (const button of all("[data-region]"))
    button.addEventListener("click", () => {
      at.splice(0, 3, ...about.peaks[button.dataset.region]);
      show();
      one("viewer").scrollIntoView({ block: "start" });
    });
  one("tools").hidden = false;
  show();
};

if (document.readyState === "complete") start();
else window.addEventListener("load", start);

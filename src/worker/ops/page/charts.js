// The last five minutes as charts. Two lines of one chart differ by their dashes, not by colour alone.

/** @typedef {import('../../../metrics/history.ts').Sample} Sample */
/** @typedef {import('uplot')} Plot */

/** @type {typeof import('uplot')} */
const UPlot = /** @type {any} */ (globalThis).uPlot;

const KEPT_MAX = 300;
const HEIGHT_PX = 170;
const MS_PER_S = 1000;

/** @typedef {{title: string, lines: {label: string, of: (sample: Sample) => number | null}[]}} Chart */

/** @type {Chart[]} */
const CHARTS = [
  {
    title: 'Requests a second',
    lines: [
      { label: 'all', of: ({ requestsPerS }) => requestsPerS },
      { label: 'failed', of: ({ errorsPerS }) => errorsPerS },
    ],
  },
  {
    title: 'Latency, ms',
    lines: [
      { label: 'p50', of: ({ p50Ms }) => p50Ms },
      { label: 'p99', of: ({ p99Ms }) => p99Ms },
    ],
  },
  {
    title: 'Writes a second, and writes a commit',
    lines: [
      { label: 'writes/s', of: ({ writesPerS }) => writesPerS },
      { label: 'a commit', of: ({ batchOperations }) => batchOperations },
    ],
  },
  { title: 'Replica behind by, s', lines: [{ label: 'lag', of: ({ lagMs }) => lagMs / MS_PER_S }] },
];

/** Draws samples as they come. States: empty → drawn (`reset`) → drawn anew when the size or the theme changes. */
export class Charts {
  /** @type {Sample[]} */
  #samples = [];
  /** @type {Plot[]} */
  #plots = [];
  /** @type {HTMLElement} */
  #place;

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#build());
    new ResizeObserver(() => this.#fit()).observe(place);
  }

  /** @param {readonly Sample[]} samples the history, oldest first */
  reset(samples) {
    this.#samples = [...samples];
    this.#build();
  }

  /** @param {Sample | null} sample the newest, perhaps again */
  add(sample) {
    if (sample === null || sample.atMs <= (this.#samples.at(-1)?.atMs ?? 0)) return;
    this.#samples.push(sample);
    if (this.#samples.length > KEPT_MAX) this.#samples.shift();
    this.#plots.forEach((plot, index) => {
      plot.setData(this.#dataOf(/** @type {Chart} */ (CHARTS[index])));
    });
  }

  #build() {
    for (const plot of this.#plots) plot.destroy();
    const places = CHARTS.map(({ title }) => {
      const place = document.createElement('div');
      place.className = 'chart';
      const head = document.createElement('h3');
      head.textContent = title;
      place.append(head);
      return place;
    });
    this.#place.replaceChildren(...places);
    this.#plots = CHARTS.map((chart, index) => {
      const place = /** @type {HTMLElement} */ (places[index]);
      return new UPlot(optionsOf(chart, widthOf(place)), this.#dataOf(chart), place);
    });
  }

  #fit() {
    for (const plot of this.#plots) {
      plot.setSize({
        width: widthOf(/** @type {HTMLElement} */ (plot.root.parentElement)),
        height: HEIGHT_PX,
      });
    }
  }

  /** @param {Chart} chart @returns {any} */
  #dataOf({ lines }) {
    return [
      this.#samples.map(({ atMs }) => atMs / MS_PER_S),
      ...lines.map(({ of }) => this.#samples.map(of)),
    ];
  }
}

/** @param {HTMLElement} place */
function widthOf(place) {
  return Math.max(200, place.clientWidth - 16);
}

/** @param {Chart} chart @param {number} width @returns {import('uplot').Options} */
function optionsOf({ lines }, width) {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--soft'),
    grid: { stroke: colour('--grid'), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT_PX,
    cursor: { sync: { key: 'ops' } },
    scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, (max ?? 0) * 1.1)] } },
    axes: [
      { ...axis, values: (_plot, seconds) => seconds.map(clock) },
      { ...axis, size: 56 },
    ],
    series: [
      { value: (_plot, seconds) => (seconds == null ? '–' : clock(seconds)) },
      ...lines.map(({ label }, index) => ({
        label,
        stroke: colour(index === 0 ? '--ink-1' : '--ink-2'),
        width: 2,
        ...(index > 0 && { dash: [6, 4] }),
        points: { show: false },
        value: (/** @type {unknown} */ _plot, /** @type {number | null} */ value) =>
          value == null ? '–' : value.toLocaleString('en', { maximumFractionDigits: 1 }),
      })),
    ],
  };
}

/** @param {number} seconds since the epoch */
function clock(seconds) {
  return new Date(seconds * MS_PER_S).toLocaleTimeString('en-GB');
}

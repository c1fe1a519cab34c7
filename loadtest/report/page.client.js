// @ts-nocheck: it runs in a browser, whose types this project does not load. CHARTS and uPlot stand before it.

// Okabe and Ito's colours, which the colour-blind can tell apart; each line also has its own dashes.
const COLOURS = {
  light: ['#0072b2', '#c44e00', '#007a5a', '#a3457a', '#5a5a5a', '#8a6a00', '#2f6fd0', '#000000'],
  dark: ['#6cbcf0', '#f2914d', '#3fcfa0', '#e59cc6', '#b8c0c9', '#f0d95b', '#9db8ff', '#ffffff'],
};
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [14, 4], [5, 2], [1, 4], [10, 3, 2, 3, 2, 3]];
const HEIGHT_PX = 240;
const dark = matchMedia('(prefers-color-scheme: dark)');

for (const figure of document.querySelectorAll('[data-chart]')) {
  const chart = CHARTS[figure.dataset.chart];
  const canvas = figure.appendChild(document.createElement('div'));
  const legend = chart.labels.length > 0 ? figure.appendChild(makeLegend(chart)) : undefined;
  figure.appendChild(makeNumbers(chart));
  let plot;
  const draw = () => {
    const shown = plot?.series.slice(1).map(({ show }) => show);
    plot?.destroy();
    plot = new uPlot(optionsOf(chart, canvas.clientWidth, legend, shown), chart.data, canvas);
    paintLegend(legend);
  };
  draw();
  dark.addEventListener('change', draw);
  new ResizeObserver(() => {
    if (canvas.clientWidth !== plot.width) plot.setSize({ width: canvas.clientWidth, height: HEIGHT_PX });
  }).observe(canvas);
  legend?.addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (!button) return;
    const isShown = button.getAttribute('aria-pressed') === 'true';
    button.setAttribute('aria-pressed', String(!isShown));
    plot.setSeries(Number(button.dataset.series) + 1, { show: !isShown });
  });
}

function optionsOf({ x, y, labels, marks }, width, legend, shown) {
  const ink = style('--faint');
  const axis = { stroke: ink, grid: { stroke: style('--rule'), width: 1 }, ticks: { show: false } };
  const values = legend ? [...legend.querySelectorAll('.value')] : [];
  return {
    width,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { y: false },
    scales: { x: { time: false, distr: x.scale === 'log' ? 3 : 1 }, y: scaleOf(y) },
    axes: [
      {
        ...axis,
        label: x.label,
        labelSize: 20,
        size: 30,
        labelFont: '12px system-ui',
        ...(x.scale === 'nines' ? { splits: nines, values: (_plot, ticks) => ticks.map(nineText) } : {}),
        ...(x.scale === 'log' ? { values: (_plot, ticks) => ticks.map(powerText) } : {}),
      },
      {
        ...axis,
        label: y.label,
        labelSize: 22,
        labelFont: '12px system-ui',
        size: 56,
        values: (_plot, ticks) => ticks.map(y.scale === 'log' ? powerText : numberText),
      },
    ],
    series: [
      {},
      ...labels.map((label, index) => ({
        label,
        show: shown?.[index] ?? true,
        stroke: colourOf(index),
        width: 2,
        dash: dashOf(index),
        spanGaps: true,
        points: { show: (plot) => plot.data[0].length <= 16, size: 6 },
      })),
    ],
    hooks: {
      draw: [(plot) => drawMarks(plot, marks)],
      setCursor: [
        (plot) => {
          const at = plot.cursor.idx;
          for (const [index, span] of values.entries()) {
            const value = at == null ? null : plot.data[index + 1][at];
            span.textContent = value == null ? '' : numberText(value);
          }
        },
      ],
    },
  };
}

function scaleOf({ scale }) {
  if (scale === 'log') return { distr: 3 };
  return { range: (_plot, _min, max) => [0, max > 0 ? max * 1.08 : 1] };
}

function drawMarks({ ctx, bbox, valToPos }, marks) {
  const colour = style('--mark');
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.font = `${11 * devicePixelRatio}px system-ui`;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'top';
  let lastEnd = -1;
  let row = 0;
  for (const [index, mark] of marks.entries()) {
    const at = valToPos(mark, 'x', true);
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(at, bbox.top);
    ctx.lineTo(at, bbox.top + bbox.height);
    ctx.stroke();
    // Numbers that would lie over each other go one below the other.
    row = at < lastEnd ? row + 1 : 0;
    ctx.fillText(String(index + 1), at + 2 * devicePixelRatio, bbox.top + row * 12 * devicePixelRatio);
    lastEnd = at + 16 * devicePixelRatio;
  }
  ctx.restore();
}

function makeLegend({ labels }) {
  const list = document.createElement('ul');
  list.className = 'legend';
  for (const [index, label] of labels.entries()) {
    const item = list.appendChild(document.createElement('li'));
    item.innerHTML = `<button type="button" aria-pressed="true" data-series="${index}" title="show or hide"><svg width="34" height="10" aria-hidden="true"><line x1="1" y1="5" x2="33" y2="5" stroke-width="2.5" stroke-dasharray="${dashOf(index).join(' ')}"/></svg><span></span></button> <span class="value"></span>`;
    item.querySelector('button span').textContent = label;
  }
  return list;
}

function paintLegend(legend) {
  for (const [index, line] of (legend?.querySelectorAll('line') ?? []).entries()) {
    line.setAttribute('stroke', colourOf(index));
  }
}

/** The same in numbers, for those who cannot see a chart; made when it is opened. */
function makeNumbers({ x, labels, data }) {
  const details = document.createElement('details');
  details.innerHTML = '<summary>numbers</summary><div class="scroll"></div>';
  details.addEventListener(
    'toggle',
    () => {
      const table = details.querySelector('.scroll').appendChild(document.createElement('table'));
      const head = table.createTHead().insertRow();
      for (const text of [x.label, ...labels]) {
        head.appendChild(document.createElement('th')).textContent = text;
      }
      const body = table.createTBody();
      for (const index of data[0].keys()) {
        const row = body.insertRow();
        for (const [column, values] of data.entries()) {
          const value = values[index];
          const isPercentile = column === 0 && x.scale === 'nines';
          row.insertCell().textContent =
            value == null ? '' : isPercentile ? nineText(value) : numberText(value);
        }
      }
    },
    { once: true },
  );
  return details;
}

function colourOf(index) {
  const colours = dark.matches ? COLOURS.dark : COLOURS.light;
  return colours[index % colours.length];
}

function dashOf(index) {
  return DASHES[index % DASHES.length];
}

function style(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function nines(_plot, _axis, min, max) {
  const all = [0, Math.log10(2), 1, 2, 3, 4, 5, 6, 7];
  return all.filter((value) => value >= min && value <= max);
}

function nineText(value) {
  const percent = 100 - 100 / 10 ** value;
  return `${Number(percent.toFixed(Math.max(0, Math.ceil(value) - 1)))} %`;
}

/** On a logarithmic axis only what begins with 1, 2 or 5 has room. */
function powerText(value) {
  if (value == null) return '';
  const digit = Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9));
  return [1, 2, 5].includes(digit) ? numberText(value) : '';
}

function numberText(value) {
  if (value == null) return '';
  const digits = Math.abs(value) >= 100 || value === 0 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return Number(value.toFixed(Math.abs(value) < 0.1 ? 3 : digits)).toLocaleString('en');
}

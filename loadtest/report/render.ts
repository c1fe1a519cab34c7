import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Machine } from '../machine.ts';
import type { Mark } from '../measurement.ts';
import type { Chart, Section } from './section.ts';

const UPLOT = dirname(createRequire(import.meta.url).resolve('uplot'));
const GIB = 1024 ** 3;
/** Digits that tell something, in a file that is read over a network too. */
const FIGURES = 5;

export interface Report {
  readonly title: string;
  /** The words of the command line. */
  readonly command: string;
  readonly machine: Machine;
  /** Said of the whole: warnings about the measuring. */
  readonly warnings: readonly string[];
  readonly complaints: readonly string[];
  readonly sections: readonly Section[];
}

/** @returns one HTML file that needs nothing else: no network, no other file */
export function renderReport(report: Report): string {
  const { title, command, machine, warnings, complaints, sections } = report;
  const charts = sections.flatMap(({ charts: own, marks }) => own.map((chart) => forPage(chart, marks)));
  let chartIndex = 0;
  const body = sections.map((section, index) => {
    const figures = section.charts.map(({ title: name }) => {
      return `<figure class="chart" data-chart="${chartIndex++}"><figcaption>${asText(name)}</figcaption></figure>`;
    });
    return `<section id="s${index}">
<h2>${asText(section.title)}</h2>
${(section.notes ?? []).map((note) => `<p>${asText(note)}</p>`).join('\n')}
${figuresOf(section)}${tableOf(section)}${marksOf(section)}
<div class="charts">${figures.join('\n')}</div>
</section>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>${asText(title)}</title>
<style>${readFileSync(join(UPLOT, 'uPlot.min.css'), 'utf8')}
${readAsset('page.css')}</style>
</head>
<body>
<header>
<h1>${asText(title)}</h1>
<p class="command"><code>${asText(command)}</code></p>
<dl class="machine">${machineFacts(machine)}</dl>
${listOf('failed', 'Not as it must be', complaints)}
${listOf('warning', 'Mind', warnings)}
${contents(sections)}
</header>
<main>
${body.join('\n')}
<noscript><p class="warning">The charts need JavaScript; every script is in this file.</p></noscript>
</main>
<script>${readFileSync(join(UPLOT, 'uPlot.iife.min.js'), 'utf8')}</script>
<script>const CHARTS = ${inScript(charts)};
${readAsset('page.client.js')}</script>
</body>
</html>
`;
}

/** uPlot wants one column of x for all lines of a chart; where a line has no point, it has null. */
function forPage({ series, hasMarks = false, ...chart }: Chart, marks: readonly Mark[] = []) {
  const xs = [...new Set(series.flatMap(({ points }) => points.map(([x]) => rounded(x))))].sort(
    (a, b) => a - b,
  );
  const columns = series.map(({ points }) => {
    const byX = new Map(points.map(([x, y]) => [rounded(x), rounded(y)]));
    return xs.map((x) => byX.get(x) ?? null);
  });
  return {
    ...chart,
    labels: series.map(({ label }) => label),
    data: [xs, ...columns],
    marks: hasMarks ? marks.map(({ atMs }) => rounded(atMs / 1000)) : [],
  };
}

function rounded(value: number): number {
  return Number(value.toPrecision(FIGURES));
}

function machineFacts({ cpuModel, cores, memoryBytes, platform, nodeVersion, date }: Machine): string {
  const facts = [
    ['machine', `${cpuModel}, ${cores} cores, ${(memoryBytes / GIB).toFixed(1)} GB`],
    ['system', platform],
    ['Node', nodeVersion],
    ['date', date],
    ['load generator', 'on the same cores, nothing pinned'],
  ];
  return facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${asText(value!)}</dd></div>`).join('');
}

function figuresOf({ figures = [] }: Section): string {
  if (figures.length === 0) return '';
  const tiles = figures.map(([label, value]) => {
    return `<div><dt>${asText(label)}</dt><dd>${asText(value)}</dd></div>`;
  });
  return `<dl class="figures">${tiles.join('')}</dl>`;
}

function marksOf({ marks = [] }: Section): string {
  const items = marks.map(({ atMs, text }) => `<li>${(atMs / 1000).toFixed(2)} s: ${asText(text)}</li>`);
  return items.length === 0 ? '' : `<ol class="marks">${items.join('')}</ol>`;
}

function tableOf({ table }: Section): string {
  if (!table) return '';
  const row = (cells: readonly string[], tag: string) => {
    return `<tr>${cells.map((cell) => `<${tag}>${asText(cell)}</${tag}>`).join('')}</tr>`;
  };
  return `<div class="scroll"><table><thead>${row(table.head, 'th')}</thead><tbody>${table.rows
    .map((cells) => row(cells, 'td'))
    .join('')}</tbody></table></div>`;
}

function listOf(kind: string, title: string, lines: readonly string[]): string {
  if (lines.length === 0) return '';
  const items = lines.map((line) => `<li>${asText(line)}</li>`).join('');
  return `<div class="${kind}"><strong>${title}</strong><ul>${items}</ul></div>`;
}

function contents(sections: readonly Section[]): string {
  if (sections.length < 2) return '';
  return `<nav><ul>${sections
    .map(({ title }, index) => `<li><a href="#s${index}">${asText(title)}</a></li>`)
    .join('')}</ul></nav>`;
}

function readAsset(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}

function asText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** JSON that cannot end the script that it stands in. */
function inScript(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/**
 * Draws what the benchmarks measured: `docs/benchmarks.svg` for the README (each figure as its ratio to the peer or
 * floor beside it, on one logarithmic axis) and `docs/benchmarks.md` with every figure and curve.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type Curve, describeFigure, type Figure, resultsFolder, rounded, type SavedBenchResult } from './report.ts'

const docs = new URL('../../docs/', import.meta.url)
const width = 860
const ink = '#24292f'
const faint = '#8c959f'
const ours = '#0969da'
const theirs = '#d0d7de'

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function text(
  x: number,
  y: number,
  words: string,
  options: { size?: number; fill?: string; anchor?: string } = {},
): string {
  const { size = 12, fill = ink, anchor = 'start' } = options
  return `<text x="${x}" y="${y}" font-size="${size}" fill="${fill}" text-anchor="${anchor}">${escaped(words)}</text>`
}

function svg(title: string, height: number, body: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...body,
    '</svg>\n',
  ].join('\n')
}

/** Two bars a figure: ours, and what stood beside it in the same run. */
export function drawRatios(results: readonly SavedBenchResult[]): string {
  const rowHeight = 44
  const left = 20
  const barWidth = width - 260
  const body: string[] = []
  let y = 24
  for (const { name, figures } of results) {
    const compared = figures.filter(
      (figure): figure is Figure & Required<Pick<Figure, 'against'>> => figure.against !== undefined,
    )
    if (compared.length === 0) continue
    body.push(text(left, y, name, { size: 14 }))
    y += 12
    for (const { label, value, unit, against, expected } of compared) {
      const most = Math.max(value, against.value)
      const length = (measured: number) => Math.max(2, (measured / most) * barWidth)
      body.push(
        text(left, y + 10, `${label}${expected ? `  (expected: ${expected})` : ''}`, { size: 11, fill: faint }),
        `<rect x="${left}" y="${y + 14}" width="${length(value)}" height="10" fill="${ours}"/>`,
        text(left + length(value) + 6, y + 23, `${rounded(value)} ${unit}`, { size: 11 }),
        `<rect x="${left}" y="${y + 26}" width="${length(against.value)}" height="10" fill="${theirs}"/>`,
        text(left + length(against.value) + 6, y + 35, `${rounded(against.value)} ${unit}, ${against.label}`, {
          size: 11,
          fill: faint,
        }),
      )
      y += rowHeight
    }
    y += 20
  }
  return svg('Benchmarks: ours beside the peer or floor', y, body)
}

/** One curve over sizes, both axes logarithmic, because what matters is what grows with what. */
export function drawCurve({ label, x, y }: Curve): string {
  const box = { left: 80, right: width - 40, top: 40, bottom: 250 }
  const [minX, maxX] = [Math.log10(Math.min(...x.values)), Math.log10(Math.max(...x.values))]
  const positive = y.values.filter((value) => value > 0)
  const [minY, maxY] = [Math.floor(Math.log10(Math.min(...positive))), Math.ceil(Math.log10(Math.max(...positive)))]
  const atX = (value: number) => box.left + ((Math.log10(value) - minX) / (maxX - minX || 1)) * (box.right - box.left)
  const atY = (value: number) => box.bottom - ((Math.log10(value) - minY) / (maxY - minY || 1)) * (box.bottom - box.top)

  const grid = Array.from({ length: maxY - minY + 1 }, (_, step) => 10 ** (minY + step)).flatMap((value) => [
    `<line x1="${box.left}" x2="${box.right}" y1="${atY(value)}" y2="${atY(value)}" stroke="${theirs}"/>`,
    text(box.left - 8, atY(value) + 4, rounded(value), { anchor: 'end', fill: faint, size: 11 }),
  ])
  const points = x.values
    .map((size, index) => ({ size, value: y.values[index] ?? Number.NaN }))
    .filter(({ value }) => value > 0)
  const marks = points.flatMap(({ size, value }) => [
    `<circle cx="${atX(size)}" cy="${atY(value)}" r="4" fill="${ours}"/>`,
    text(atX(size), atY(value) - 10, rounded(value), { anchor: 'middle', size: 11 }),
    text(atX(size), box.bottom + 18, size.toLocaleString('en-US'), { anchor: 'middle', fill: faint, size: 11 }),
  ])
  const line = `<polyline fill="none" stroke="${ours}" stroke-width="2" points="${points.map(({ size, value }) => `${atX(size)},${atY(value)}`).join(' ')}"/>`
  return svg(`${label}: ${y.label} by ${x.label}`, 290, [
    text(20, 22, `${label}: ${y.label} (${y.unit}) by ${x.label}`, { size: 14 }),
    ...grid,
    line,
    ...marks,
  ])
}

function page(results: readonly SavedBenchResult[]): string {
  const sections = results.flatMap(({ name, about, machine, takenAt, figures, curves = [] }) => [
    `## ${name}\n\n${about}\n\nTaken ${takenAt} on ${machine}.\n`,
    ...figures.map((figure) => `- ${describeFigure(figure)}`),
    '',
    ...curves.map((_, index) => `![${name}](benchmarks/${name}-${index + 1}.svg)\n`),
  ])
  const tables = [...Map.groupBy(results, ({ column }) => column?.of)].map(([of, columns]) => table(of, columns))
  return `# Benchmarks\n\nDrawn by \`make bench\` from what it measured. Each figure stands beside a peer or a floor taken in the same run;\nread the ratio, not the figure.\n\n![Ours beside the peer or floor](benchmarks.svg)\n\n${[...sections, ...tables].join('\n')}`
}

/** The same figures of several results beside each other; nothing where there is only one. */
function table(of: string | undefined, results: readonly SavedBenchResult[]): string {
  if (of === undefined || results.length < 2) return ''
  const labels = new Set(results.flatMap(({ figures }) => figures.map(({ label }) => label)))
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rows = [...labels].map((label) => {
    const figures = results.map((result) => result.figures.find((figure) => figure.label === label))
    return row([label, ...figures.map((figure) => (figure ? `${rounded(figure.value)} ${figure.unit}` : '–'))])
  })
  const heads = results.map(({ column, name }) => column?.label ?? name)
  return [`## ${of}, side by side\n`, row(['', ...heads]), row(['---', ...heads.map(() => '--:')]), ...rows, ''].join(
    '\n',
  )
}

if (import.meta.main) {
  const results = readdirSync(resultsFolder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => JSON.parse(readFileSync(new URL(file, resultsFolder), 'utf8')) as SavedBenchResult)
  mkdirSync(new URL('benchmarks/', docs), { recursive: true })
  writeFileSync(new URL('benchmarks.svg', docs), drawRatios(results))
  writeFileSync(new URL('benchmarks.md', docs), page(results))
  for (const { name, curves = [] } of results) {
    curves.forEach((curve, index) => {
      writeFileSync(new URL(`benchmarks/${name}-${index + 1}.svg`, docs), drawCurve(curve))
    })
  }
  console.log(`Drew docs/benchmarks.svg and docs/benchmarks.md from ${results.length} results.`)
}

import type { JSX } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import uPlot from 'uplot'
import type { Finding, VolumeBucket } from '../api-client.ts'
import { setParams } from '../location.ts'
import { formatCount } from '../number.ts'
import { formatDayTime, formatWindow } from '../time.ts'
import { colour } from './colours.ts'
import { Plot, quietAxes } from './plot.tsx'

const MAX_MARKS = 200

/** Small signs above the bars where findings have their first events. */
function drawFindings(plot: uPlot, findings: readonly Finding[]): void {
  const { ctx, bbox } = plot
  const size = 4 * uPlot.pxRatio
  ctx.save()
  for (const finding of findings.slice(0, MAX_MARKS)) {
    const seconds = Date.parse(finding.first_event_at) / 1000
    const x = plot.valToPos(seconds, 'x', true)
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    ctx.fillStyle = colour(finding.severity) || colour('ink-3')
    ctx.beginPath()
    ctx.moveTo(x - size, bbox.top)
    ctx.lineTo(x + size, bbox.top)
    ctx.lineTo(x, bbox.top + size * 1.6)
    ctx.fill()
  }
  ctx.restore()
}

/** Calls over time as bars, what failed or was denied stacked at their foot; a brush narrows the range. */
export function VolumeChart({
  buckets,
  stepSeconds,
  findings,
  height = 206,
}: {
  buckets: readonly VolumeBucket[]
  stepSeconds: number
  findings: readonly Finding[]
  height?: number
}): JSX.Element {
  const [hovered, setHovered] = useState<number | undefined>()
  const data = useMemo<uPlot.AlignedData>(
    () => [
      buckets.map((bucket) => Date.parse(bucket.start) / 1000 + stepSeconds / 2),
      buckets.map((bucket) => bucket.calls),
      buckets.map((bucket) => bucket.failures + bucket.denials),
      buckets.map((bucket) => bucket.denials),
    ],
    [buckets, stepSeconds],
  )
  const bars = uPlot.paths.bars?.({ size: [0.82, 40], radius: 0.08 })
  const series = (token: string): uPlot.Series => ({
    fill: colour(token),
    width: 0,
    points: { show: false },
    ...(bars === undefined ? {} : { paths: bars }),
  })
  const options = (): Omit<uPlot.Options, 'width' | 'height'> => ({
    legend: { show: false },
    padding: [10, 14, 0, 0],
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false },
    },
    scales: {
      x: { time: true, range: (_plot, min, max) => [min - stepSeconds / 2, max + stepSeconds / 2] },
      y: { range: (_plot, _min, max) => [0, Math.max(4, max * 1.12)] },
    },
    axes: quietAxes(),
    series: [{}, series('bar'), series('bad'), series('medium')],
    hooks: {
      draw: [(plot) => drawFindings(plot, findings)],
      setCursor: [(plot) => setHovered(plot.cursor.idx ?? undefined)],
      setSelect: [
        (plot) => {
          if (plot.select.width < 6) return
          const from = plot.posToVal(plot.select.left, 'x')
          const to = plot.posToVal(plot.select.left + plot.select.width, 'x')
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
          setParams({
            from: new Date(Math.floor(from / stepSeconds) * stepSeconds * 1000).toISOString(),
            to: new Date(Math.ceil(to / stepSeconds) * stepSeconds * 1000).toISOString(),
          })
        },
      ],
    },
  })
  const total = buckets.reduce((sum, bucket) => sum + bucket.calls, 0)
  return (
    <figure class="chart">
      <Readout bucket={hovered === undefined ? undefined : buckets[hovered]} stepSeconds={stepSeconds} />
      <Plot
        options={options}
        data={data}
        shape={`${stepSeconds} ${findings.map((finding) => finding.finding_id).join()}`}
        height={height}
        label={`Calls over time: ${formatCount(total)} in ${buckets.length} buckets. The table below has the figures.`}
      />
      <BucketTable buckets={buckets} />
    </figure>
  )
}

function Readout({
  bucket,
  stepSeconds,
}: {
  bucket: VolumeBucket | undefined
  stepSeconds: number
}): JSX.Element {
  if (bucket === undefined) {
    return (
      <p class="readout">
        <span class="key key-bar">calls</span>
        <span class="key key-bad">failed</span>
        <span class="key key-denied">denied</span>
        <span class="key key-mark">finding</span>
        <span class="dim wide-only">drag to narrow the range</span>
      </p>
    )
  }
  const start = Date.parse(bucket.start)
  return (
    <p class="readout">
      <strong>{formatWindow(start, start + stepSeconds * 1000)}</strong>
      <span class="key key-bar">{formatCount(bucket.calls)} calls</span>
      <span class="key key-bad">{formatCount(bucket.failures)} failed</span>
      <span class="key key-denied">{formatCount(bucket.denials)} denied</span>
    </p>
  )
}

/** The same figures for those who cannot see the bars. Made only when asked for. */
function BucketTable({ buckets }: { buckets: readonly VolumeBucket[] }): JSX.Element {
  const [isOpen, setOpen] = useState(false)
  return (
    <details class="as-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Show as a table</summary>
      {isOpen ? (
        <table>
          <thead>
            <tr>
              <th>From</th>
              <th class="right">Calls</th>
              <th class="right">Failed</th>
              <th class="right">Denied</th>
            </tr>
          </thead>
          <tbody>
            {buckets.map((bucket) => (
              <tr key={bucket.start}>
                <td>{formatDayTime(Date.parse(bucket.start))}</td>
                <td class="right">{formatCount(bucket.calls)}</td>
                <td class="right">{formatCount(bucket.failures)}</td>
                <td class="right">{formatCount(bucket.denials)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
    </details>
  )
}

import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import uPlot from 'uplot'
import { formatNumber } from '../number.ts'
import { formatWindow } from '../time.ts'
import { colour } from './colours.ts'
import { Plot, quietAxes } from './plot.tsx'

export interface BaselineSeries {
  readonly stepSeconds: number
  readonly points: readonly { readonly start: string; readonly calls: number }[]
  readonly expected: number | undefined
  readonly upper: number | undefined
  readonly window: { readonly start: string; readonly end: string }
}

/** The actor's own past as bars, the expected range as a band, the flagged window in the colour of trouble. */
export function BaselineChart({ series }: { series: BaselineSeries }): JSX.Element {
  const startS = Date.parse(series.window.start) / 1000
  const endS = Date.parse(series.window.end) / 1000
  const data = useMemo<uPlot.AlignedData>(() => {
    const times = series.points.map((point) => Date.parse(point.start) / 1000)
    const isFlagged = times.map((time) => time >= startS && time < endS)
    return [
      times.map((time) => time + series.stepSeconds / 2),
      series.points.map((point, at) => (isFlagged[at] ? null : point.calls)),
      series.points.map((point, at) => (isFlagged[at] ? point.calls : null)),
    ]
  }, [series, startS, endS])
  const top = Math.max(series.upper ?? 0, 4, ...series.points.map((point) => point.calls))

  const drawBand = (plot: uPlot): void => {
    if (series.upper === undefined) return
    const { ctx, bbox } = plot
    const upper = plot.valToPos(series.upper, 'y', true)
    const zero = plot.valToPos(0, 'y', true)
    ctx.save()
    ctx.fillStyle = colour('band')
    ctx.fillRect(bbox.left, upper, bbox.width, zero - upper)
    ctx.strokeStyle = colour('accent')
    ctx.lineWidth = uPlot.pxRatio
    ctx.setLineDash([4 * uPlot.pxRatio, 3 * uPlot.pxRatio])
    ctx.beginPath()
    ctx.moveTo(bbox.left, upper)
    ctx.lineTo(bbox.left + bbox.width, upper)
    if (series.expected !== undefined) {
      const expected = plot.valToPos(series.expected, 'y', true)
      ctx.moveTo(bbox.left, expected)
      ctx.lineTo(bbox.left + bbox.width, expected)
    }
    ctx.stroke()
    ctx.restore()
  }

  const bars = uPlot.paths.bars?.({ size: [0.8, 24], radius: 0.08 })
  const paths = bars === undefined ? {} : { paths: bars }
  return (
    <figure class="chart">
      <p class="readout">
        <span class="key key-bar">calls an hour before</span>
        <span class="key key-bad">flagged: {formatWindow(startS * 1000, endS * 1000)}</span>
        {series.upper === undefined ? null : (
          <span class="key key-band">
            expected{series.expected === undefined ? '' : ` ${formatNumber(series.expected)}`}, at most{' '}
            {formatNumber(series.upper)}
          </span>
        )}
      </p>
      <Plot
        shape={JSON.stringify([series.upper, series.expected, series.window])}
        data={data}
        height={200}
        label={`Calls of the past against the expected band up to ${series.upper ?? 'unknown'}.`}
        options={() => ({
          legend: { show: false },
          padding: [8, 4, 0, 0],
          cursor: { show: false },
          scales: { x: { time: true }, y: { range: () => [0, top * 1.1] } },
          axes: quietAxes(),
          series: [
            {},
            { fill: colour('bar'), width: 0, points: { show: false }, ...paths },
            { fill: colour('bad'), width: 0, points: { show: false }, ...paths },
          ],
          hooks: { drawAxes: [drawBand] },
        })}
      />
    </figure>
  )
}

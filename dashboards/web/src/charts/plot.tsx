import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { colour, schemeChanges } from './colours.ts'

export interface PlotProps {
  /** Makes the options; called again when `shape` or the colour scheme changes. */
  readonly options: () => Omit<uPlot.Options, 'width' | 'height'>
  readonly data: uPlot.AlignedData
  /** What the options depend on, as text. */
  readonly shape: string
  readonly height: number
  readonly label: string
}

/** Axes that keep quiet: small figures, faint lines. */
export const quietAxes = (size = 44): uPlot.Axis[] => {
  const font = '11px system-ui, sans-serif'
  const common = {
    stroke: colour('ink-3'),
    font,
    grid: { stroke: colour('line'), width: 1 },
    ticks: { show: false },
  }
  return [
    {
      ...common,
      grid: { show: false },
      gap: 4,
      size: 36,
      space: 70,
      values: [
        [86_400, '{D} {MMM}', null, null, null, null, null, null, 1],
        [3600, '{HH}:{mm}', '\n{D} {MMM}', null, '\n{D} {MMM}', null, null, null, 1],
        [60, '{HH}:{mm}', null, null, null, null, null, null, 1],
      ],
    },
    { ...common, gap: 6, size, space: 32 },
  ]
}

/** uPlot in a box that follows its container's width. */
export function Plot(props: PlotProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const latest = useRef(props)
  latest.current = props
  const scheme = schemeChanges.value

  useEffect(() => {
    const element = box.current
    if (element === null) return
    const width = Math.max(120, element.clientWidth)
    const made = new uPlot(
      { ...latest.current.options(), width, height: latest.current.height },
      latest.current.data,
      element,
    )
    plot.current = made
    const observer = new ResizeObserver(() => {
      const next = Math.max(120, element.clientWidth)
      if (next !== made.width) made.setSize({ width: next, height: latest.current.height })
    })
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [props.shape, props.height, scheme])

  useEffect(() => {
    plot.current?.setData(props.data)
  }, [props.data])

  return <div class="plot" ref={box} role="img" aria-label={props.label} />
}

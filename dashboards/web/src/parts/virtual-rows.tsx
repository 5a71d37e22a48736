import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type VirtualizerOptions,
} from '@tanstack/virtual-core'
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

/**
 * A scrolling list that draws only the rows in sight. Rows have one height each, given by `rowHeight`; `onEnd` is
 * called when the last rows come into sight.
 */
export function VirtualRows(props: {
  count: number
  rowHeight: (index: number) => number
  label: string
  row: (index: number) => ComponentChildren
  onEnd?: (() => void) | undefined
}): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null)
  const [, redraw] = useState(0)
  const options: VirtualizerOptions<HTMLDivElement, HTMLDivElement> = {
    count: props.count,
    getScrollElement: () => scroller.current,
    estimateSize: props.rowHeight,
    overscan: 12,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => redraw((times) => times + 1),
  }
  const [virtualizer] = useState(() => new Virtualizer<HTMLDivElement, HTMLDivElement>(options))
  virtualizer.setOptions(options)
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer])
  useLayoutEffect(() => virtualizer._willUpdate())

  const items = virtualizer.getVirtualItems()
  const lastInSight = items.at(-1)?.index ?? -1
  const atEnd = props.count > 0 && lastInSight >= props.count - 5
  // Asked again with each drawing at the end: the owner refuses while it is loading.
  useEffect(() => {
    if (atEnd) props.onEnd?.()
  })

  return (
    <div class="virtual" ref={scroller}>
      <ul
        class="virtual-space"
        aria-label={props.label}
        style={{ height: `${virtualizer.getTotalSize()}px` }}
      >
        {items.map((item) => (
          <li
            key={item.index}
            class="virtual-row"
            style={{ height: `${item.size}px`, transform: `translateY(${item.start}px)` }}
          >
            {props.row(item.index)}
          </li>
        ))}
      </ul>
    </div>
  )
}

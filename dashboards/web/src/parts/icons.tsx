import type { JSX } from 'preact'

/** Line icons on a 16-unit grid, drawn in the colour of the text around them. */
const PATHS = {
  overview: 'M2 13V8M6 13V3M10 13V6M14 13V9',
  findings: 'M8 2l6 11H2zM8 6.5v3M8 11.4v.1',
  alerts: 'M4 11V7a4 4 0 0 1 8 0v4l1 1.5H3zM6.8 14.5h2.4',
  events: 'M2 3.5h12M2 8h12M2 12.5h8',
  deliveries: 'M2 8l12-5-4 11-2.5-4.5zM7.5 9.5L14 3',
  'dead-letters': 'M2 4h12v9H2zM2 4l6 5 6-5M5.5 11.5l-1 1',
  chain: 'M6.5 9.5l3-3M5 7L3.5 8.5a2.8 2.8 0 0 0 4 4L9 11M11 9l1.5-1.5a2.8 2.8 0 0 0-4-4L7 5',
  close: 'M4 4l8 8M12 4l-8 8',
  search: 'M7 11.5a4.5 4.5 0 1 1 0-9 4.5 4.5 0 0 1 0 9zM10.5 10.5L14 14',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M5 3l8 5-8 5z',
  link: 'M9 3h4v4M13 3L7.5 8.5M11 9.5V13H3V5h3.5',
  help: 'M5.8 6a2.2 2.2 0 1 1 3.1 2c-.7.3-.9.8-.9 1.6M8 12.2v.1',
  right: 'M6 3.5L10.5 8 6 12.5',
  plus: 'M8 3.5v9M3.5 8h9',
  minus: 'M3.5 8h9',
  check: 'M3 8.5L6.5 12 13 4.5',
  wait: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3.2l2 1.3',
} as const

export type IconName = keyof typeof PATHS

/** A decorative icon; what it means is said in the text beside it or in the label of its button. */
export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}

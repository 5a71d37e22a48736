import { signal } from '@preact/signals'

/** Colours of the style sheet for drawings on a canvas, which cannot read it themselves. */
export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()

/** Counts changes between light and dark, so that canvases are drawn again. */
export const schemeChanges = signal(0)

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  schemeChanges.value += 1
})

/** Replacements in a text, in the order of their places. */
export interface Edits {
  /** Up to here nothing may be replaced any more. */
  done(): number
  replace(start: number, end: number, by: string): void
  result(): string
}

export function createEdits(text: string): Edits {
  let made = ''
  let done = 0
  return {
    done: () => done,
    replace(start, end, by) {
      made += text.slice(done, start) + by
      done = end
    },
    result: () => (done === 0 ? text : made + text.slice(done)),
  }
}

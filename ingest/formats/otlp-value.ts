/** Integers that a number cannot hold are text. */
export type OtlpValue =
  | string
  | number
  | boolean
  | undefined
  | readonly OtlpValue[]
  | { readonly [key: string]: OtlpValue }

/** Deepest nesting of an attribute’s value. */
export const MAX_NESTING = 32

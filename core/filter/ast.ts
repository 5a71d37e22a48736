/** What a filter says, before anybody asks which fields exist. Built by `grammar.peggy`. */
export type FilterNode =
  | { readonly kind: 'all' }
  | { readonly kind: 'and' | 'or'; readonly nodes: readonly FilterNode[] }
  | { readonly kind: 'not'; readonly node: FilterNode }
  | { readonly kind: 'text'; readonly value: FilterValue }
  | (FilterField & { readonly kind: 'compare'; readonly op: CompareOp; readonly value: FilterValue })
  | (FilterField & {
      readonly kind: 'range'
      /** `null` is an open end. */
      readonly low: FilterValue | null
      readonly high: FilterValue | null
      readonly includeLow: boolean
      readonly includeHigh: boolean
    })

export type CompareOp = '=' | '>' | '>=' | '<' | '<='

export interface FilterField {
  /** As written: an alias, a dotted field name, or its column name. */
  readonly field: string
  /** 1-based column in the filter's text. */
  readonly at: number
}

export interface FilterValue {
  /** The value cut at its unescaped `*`; one piece is a value without wildcards. */
  readonly pieces: readonly string[]
  readonly quoted?: boolean
  /** 1-based column in the filter's text. */
  readonly at: number
}

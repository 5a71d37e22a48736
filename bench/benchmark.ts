/** One figure of a benchmark; `goal` is text for people and scripts: `>= 1.0`. */
export interface Figure {
  readonly value: number
  readonly unit: string
  readonly goal?: string
}

export interface BenchOptions {
  readonly quick: boolean
  readonly input?: string
  readonly train?: string
  /** Of generated data; each bench has its own default. */
  readonly seeds?: readonly number[]
  /** A line of progress, on stderr. */
  readonly progress: (line: string) => void
}

export interface BenchResult {
  readonly figures: Readonly<Record<string, Figure>>
  /** What to hold the figures against: other systems, published scores, earlier runs. */
  readonly baselines?: Readonly<Record<string, number>>
}

export type Bench = (options: BenchOptions) => Promise<BenchResult>

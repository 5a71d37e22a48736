import { CHAIN_GAP_MS } from '../../core/chain.ts'

/** A call as a chain’s signature sees it. */
export interface ChainCall {
  readonly chain: string
  readonly eventId: string
  readonly atMs: number
  readonly actor: string
  readonly server: string
  readonly tool: string
  readonly capability: string
  readonly destination: string
  /** Whether it came as history. */
  readonly imported: boolean
  /** 1 when it was attempted and somebody says that it failed. */
  readonly failed: number
}

/** One step: so many calls with one of these capabilities. */
export interface Step {
  readonly capabilities: readonly string[]
  readonly minCount: number
}

/** Steps in this order, within this long. */
export interface Signature {
  readonly steps: readonly Step[]
  readonly withinMs: number
}

/** The calls that fulfil each step, in order of time. */
export type Match = readonly (readonly ChainCall[])[]

/**
 * Undertakings within one chain key. A key that names only the actor is split where two calls are too far apart;
 * `calls` must then hold all calls of the chain, in order of time.
 */
export function splitAtGaps(chain: string, calls: readonly ChainCall[]): (readonly ChainCall[])[] {
  if (!chain.startsWith('actor:')) return [calls]
  const parts: ChainCall[][] = []
  let previousMs = Number.NEGATIVE_INFINITY
  for (const call of calls) {
    if (call.atMs - previousMs > CHAIN_GAP_MS) parts.push([])
    parts.at(-1)?.push(call)
    previousMs = call.atMs
  }
  return parts
}

/**
 * The tightest match that ends with `calls[end]`: going back from it, each step takes the latest calls that fulfil
 * it, so the first call is as late as any match allows. `undefined` when there is none within `withinMs`.
 */
export function matchEndingAt(
  steps: readonly Step[],
  withinMs: number,
  calls: readonly ChainCall[],
  end: number,
): Match | undefined {
  const last = calls[end]
  if (last === undefined) return undefined
  const found: ChainCall[][] = []
  let index = end
  for (let step = steps.length - 1; step >= 0; step -= 1) {
    const { capabilities, minCount } = steps[step] ?? { capabilities: [], minCount: 0 }
    const taken: ChainCall[] = []
    for (; index >= 0 && taken.length < minCount; index -= 1) {
      const call = calls[index]
      if (call === undefined || last.atMs - call.atMs > withinMs) return undefined
      if (capabilities.includes(call.capability)) taken.unshift(call)
      else if (index === end) return undefined
    }
    if (taken.length < minCount) return undefined
    found.unshift(taken)
  }
  return found
}

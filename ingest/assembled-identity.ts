/** How an assembled event came by its id. Shape: `AssembledIdentity` of `store/parts.ts`. */
export interface AssembledIdentity {
  /** It is the source’s own, which anybody may claim; else a hash that says the source. */
  readonly isOwn: boolean
  /** What a version before 0.2 called it: the hash said nothing of the source. The id itself where it is the source’s own. */
  readonly formerId: string
  /** The source’s own id, where an earlier call has it. */
  readonly claimed?: string
}

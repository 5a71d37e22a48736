import { eventually } from '../helpers/gatewatch.ts'
import type { Target } from './attack.ts'

export interface ListedLetter {
  readonly topic: string
  readonly reason: string
  readonly message: string
  readonly record: string
}

/** The newest dead letters, at most 200, when `done` accepts them. */
export async function deadLettersUntil(
  target: Target,
  done: (letters: readonly ListedLetter[]) => boolean,
): Promise<readonly ListedLetter[]> {
  const ask = async () =>
    (await target.get<{ dead_letters: ListedLetter[] }>('/v1/dead-letters?limit=200')).dead_letters
  return eventually(ask, done)
}

import type { Logger } from 'pino'
import { GatewatchError, messageOf } from '../core/errors.ts'

/** A part of the program with a beginning and an end. */
export interface Part {
  readonly name: string
  start(): Promise<void>
  /** Must not throw; called once, also when a later part failed to start. */
  stop(): Promise<void>
}

/** What work ends with that is interrupted because the program stops: this very object, and no trouble. */
export const STOPPING = new GatewatchError('store_unavailable', 'gatewatch is stopping.', {
  remedy: 'The next start goes on where this one ended.',
})

/**
 * Lanes of parts that do not need each other, as one part: each lane starts in order, and they stop side by side, each
 * last part first. So the longest of them decides how long the stop takes, not their sum.
 */
export function sideBySide(name: string, lanes: readonly (readonly Part[])[], logger: Logger): Part {
  let stops: (() => Promise<void>)[] = []
  const stop = async () => {
    const all = stops
    stops = []
    await Promise.all(all.map((one) => one()))
  }
  return {
    name,
    start: async () => {
      try {
        for (const parts of lanes) stops.push(await startInOrder(parts, logger))
      } catch (error) {
        await stop()
        throw error
      }
    },
    stop,
  }
}

/**
 * Starts parts in order; when one fails, stops those already running, last first, and throws its error.
 * @returns a function that stops all of them, last first; calling it again waits for the same stop
 */
export async function startInOrder(parts: readonly Part[], logger: Logger): Promise<() => Promise<void>> {
  const running: Part[] = []
  const stopAll = async () => {
    for (const part of running.reverse()) {
      try {
        await part.stop()
      } catch (error) {
        logger.error({ part: part.name, error: messageOf(error) }, 'did not stop cleanly')
      }
    }
    running.length = 0
  }
  for (const part of parts) {
    try {
      await part.start()
      running.push(part)
    } catch (error) {
      await stopAll()
      throw error
    }
  }
  let stopping: Promise<void> | undefined
  return () => {
    stopping ??= stopAll()
    return stopping
  }
}

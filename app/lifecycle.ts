import type { Logger } from 'pino'
import { messageOf } from '../core/errors.ts'

/** A part of the program with a beginning and an end. */
export interface Part {
  readonly name: string
  start(): Promise<void>
  /** Must not throw; called once, also when a later part failed to start. */
  stop(): Promise<void>
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

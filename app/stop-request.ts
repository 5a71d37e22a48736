import { environmentStopMs } from './config/config.ts'

/** A process that is asked to stop has ended after this time, whatever its parts do. */
export const STOP_AFTER_MS = environmentStopMs()
/**
 * What comes within this time is the same request: npm, a shell, a terminal and `bin/gatewatch.cjs` each pass a signal
 * on, so that one Ctrl-C may arrive four times. Whoever asks later is a person who does not want to wait.
 */
const SAME_REQUEST_MS = 5_000

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface StopRequest {
  /** What the process should end with: 0 when somebody asked for it, 1 after a fault. */
  readonly exitCode: 0 | 1
}

/**
 * Resolves when the process is to stop: at a signal, or when it is `broken`. From then on it ends within
 * `STOP_AFTER_MS`; SIGINT or SIGTERM some seconds later ends it at once.
 */
export function untilAskedToStop(options: {
  /** Says something to people. */
  readonly note: (text: string) => void
  /** Resolves when the process must not go on. */
  readonly broken: Promise<void>
}): Promise<StopRequest> {
  const { note, broken } = options
  const { promise, resolve } = Promise.withResolvers<StopRequest>()
  let askedMs: number | undefined
  const ask = (exitCode: StopRequest['exitCode']) => {
    if (askedMs !== undefined) return
    askedMs = performance.now()
    note('stopping …')
    setTimeout(() => endNow(note, `it took longer than ${STOP_AFTER_MS / 1000} s`), STOP_AFTER_MS).unref()
    resolve({ exitCode })
  }
  const onSignal = (signal: NodeJS.Signals) => {
    const isLater = askedMs !== undefined && performance.now() - askedMs > SAME_REQUEST_MS
    // SIGHUP says that the parent is gone, which is no wish for haste.
    if (isLater && signal !== 'SIGHUP') endNow(note, 'asked a second time')
    ask(0)
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  void broken.then(() => ask(1))
  return promise
}

/** Ends the process, whatever it is doing. */
export function endNow(note: (text: string) => void, why: string): void {
  note(`stopped at once: ${why}; what was acknowledged is on disk and is stored at the next start`)
  // Not process.exit, which waits for queries that run in the embedded store.
  process.kill(process.pid, 'SIGKILL')
}

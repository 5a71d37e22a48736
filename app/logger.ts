import { type Logger, pino } from 'pino'

/** Logs go to stderr as JSON lines; stdout belongs to the command’s answer. */
export function createLogger(level: string): Logger {
  const stderr = pino.destination({ dest: 2, sync: true })
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => stderr.write(withoutKeys(line)) },
  )
}

// API keys, short-lived tokens, secrets of webhooks, and what stands behind `ticket=` and `session-key=`.
const OWN_KEYS =
  /(?<![\w-])(?:(gw_)[\w-]{43}|(v1\.[\w-]{1,32}\.)[\w-]{16,4096}\.[\w-]{43}|(whsec_)[\w+/=]{24,88}|((?:ticket|session-key)=)[\w-]{16,64})/g

/** A line of the log without the keys that gatewatch gives out, whatever message or error they came with. */
export const withoutKeys = (line: string): string =>
  line.replace(OWN_KEYS, (_, ...kept: (string | undefined)[]) => `${kept.slice(0, 4).find(Boolean) ?? ''}…`)

import { statSync } from 'node:fs'
import type { Server } from 'node:tls'
import type { Logger } from 'pino'
import { messageOf } from '../core/errors.ts'
import { readTls, type TlsFiles } from './config/listen.ts'

const EVERY_MS = 10_000

/**
 * Has new connections use the certificate that is in the files now: programs that renew certificates replace files, and
 * signal nobody. Files that do not fit together (half replaced, say) are passed over until they do.
 * @param onChange is told the new certificate, as PEM
 * @returns stops it
 */
export function reloadTls(
  server: Pick<Server, 'setSecureContext'>,
  files: TlsFiles,
  {
    logger,
    onChange,
    everyMs = EVERY_MS,
  }: {
    readonly logger: Pick<Logger, 'info' | 'warn'>
    readonly onChange: (cert: string) => void
    readonly everyMs?: number
  },
): () => void {
  let seen = stampOf(files)
  const timer = setInterval(() => {
    const stamp = stampOf(files)
    if (stamp === seen) return
    seen = stamp
    try {
      const { cert, key } = readTls(files)
      server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' })
      onChange(cert)
      logger.info({ file: files.certFile }, 'the certificate was replaced')
    } catch (error) {
      logger.warn(
        { file: files.certFile, error: messageOf(error) },
        'the new certificate cannot be used; the old one stays',
      )
    }
  }, everyMs)
  timer.unref()
  return () => clearInterval(timer)
}

const stampOf = ({ certFile, keyFile }: TlsFiles): string =>
  [certFile, keyFile]
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false })
      return stat === undefined ? '' : `${stat.ino}/${stat.size}/${stat.mtimeMs}`
    })
    .join(' ')

import { closeSync, createReadStream, fstatSync, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { devNull } from 'node:os'
import type { Readable } from 'node:stream'
import { isatty, ReadStream } from 'node:tty'
import { environmentInput } from '../config/config.ts'

/**
 * Puts an empty stdin in the place of the process's own. The embedded store takes whatever lies there for data of the
 * next INSERT: records piped into `ingest -`, or anything that a service manager has left open.
 */
export function detachStandardInput(): void {
  if (environmentInput() !== 0) return
  closeSync(0)
  // The lowest free descriptor, which is 0.
  openSync(devNull, 'r')
}

/** What was piped into the program. Call it once. */
export function standardInput(): Readable {
  const fd = environmentInput()
  if (isatty(fd)) return new ReadStream(fd)
  return fstatSync(fd).isFile()
    ? createReadStream('', { fd })
    : new Socket({ fd, readable: true, writable: false })
}

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Tells other commands on the same data folder that a process serves it, and where. */
export interface RunFile {
  readonly pid: number
  readonly url: string
  /** Names of the receivers that it tells. */
  readonly receivers: readonly string[]
  /** The certificate that it has, as PEM, where it listens with TLS: commands on the folder trust this one only. */
  readonly certificate?: string
}

const pathIn = (dataFolder: string) => join(dataFolder, 'run.json')

export function writeRunFile(dataFolder: string, said: Omit<RunFile, 'pid'>): void {
  writeFileSync(pathIn(dataFolder), `${JSON.stringify({ pid: process.pid, ...said } satisfies RunFile)}\n`, {
    mode: 0o600,
  })
}

/** The live process of the folder, if there is one; what a killed process left behind does not count. */
export function readRunFile(dataFolder: string): RunFile | undefined {
  try {
    const {
      pid,
      url,
      receivers = [],
      certificate,
    } = JSON.parse(readFileSync(pathIn(dataFolder), 'utf8')) as Partial<RunFile>
    if (pid === undefined || url === undefined) return undefined
    process.kill(pid, 0)
    return { pid, url, receivers, ...(certificate === undefined ? {} : { certificate }) }
  } catch {
    return undefined
  }
}

export const removeRunFile = (dataFolder: string): void => rmSync(pathIn(dataFolder), { force: true })

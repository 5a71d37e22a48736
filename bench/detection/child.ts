import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Cost, Order } from './process.ts'

const PROCESS = fileURLToPath(new URL('./process.ts', import.meta.url))

/** Detection over a folder, in a process of its own. */
export interface Detection {
  order(order: Order): Promise<Cost>
  stop(): Promise<void>
}

export const makeFolder = (): string => mkdtempSync(join(tmpdir(), 'gatewatch-bench-'))
export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true })

export async function startDetection(folder: string): Promise<Detection> {
  const child = fork(PROCESS, [folder], { env: { ...process.env, UV_THREADPOOL_SIZE: '16' } })
  await answerOf(child)
  return {
    order: async (order) => {
      child.send(order)
      return (await answerOf(child)) as Cost
    },
    stop: async () => {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController()
  const died = once(child, 'exit', { signal: ended.signal }).then(([code, signal]) => {
    throw new Error(`bench/detection/process.ts ended with ${code ?? signal}`)
  })
  try {
    const [answer] = await Promise.race([once(child, 'message', { signal: ended.signal }), died])
    return answer
  } finally {
    died.catch(() => {})
    ended.abort()
  }
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** The value below which this share of the values lies. */
export const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0

export const round = (value: number): number => Math.round(value * 100) / 100

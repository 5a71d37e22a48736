import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { kafkaJava } from './distribution.ts'

/** A step of a transaction; `by` names its producer. */
export type TransactionStep =
  | { readonly by: string; readonly does: 'begin' | 'commit' | 'abort' }
  | {
      readonly by: string
      readonly does: 'send'
      readonly topic: string
      readonly partition: number
      /** One line. */
      readonly value: string
    }

/** Carries out transactions with Apache Kafka’s own Java client; one that is not ended stays open. */
export async function transact(brokers: readonly string[], steps: readonly TransactionStep[]): Promise<void> {
  const child = spawn('java', [...(await kafkaJava()), 'Transact', brokers.join(',')], {
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  // A client that dies early closes its input; its exit code and words say why.
  child.stdin.on('error', () => {})
  const lines = steps.map((step) =>
    step.does === 'send'
      ? `send ${step.by} ${step.topic} ${step.partition} ${step.value}\n`
      : `${step.does} ${step.by}\n`,
  )
  const [words, [code]] = await Promise.all([
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
    child.stdin.end(lines.join('')),
  ])
  if (code !== 0) throw new Error(`The Java client ended with ${code}:\n${words.slice(-2_000)}`)
}

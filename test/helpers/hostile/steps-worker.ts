import { parentPort } from 'node:worker_threads'
import { stepsThrough } from './regex-steps.ts'

/** Takes expressions with texts, answers with the steps through each, or with what went wrong. */
parentPort?.on('message', ({ expression, text }: { expression: RegExp; text: string }) => {
  try {
    parentPort?.postMessage({ steps: stepsThrough(expression, text) })
  } catch (error) {
    parentPort?.postMessage({ fault: String(error) })
  }
})

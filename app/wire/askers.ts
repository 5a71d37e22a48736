import { AsyncLocalStorage } from 'node:async_hooks'
import type { Asker, Askers } from '../../core/asker.ts'

/** Askers that follow a request through all that it awaits (ADR 18). */
export function createAskers(): Askers {
  const storage = new AsyncLocalStorage<Asker>()
  return { run: (asker, work) => storage.run(asker, work), current: () => storage.getStore() }
}

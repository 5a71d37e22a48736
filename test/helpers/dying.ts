/**
 * Something with asynchronous methods, as a process sees it that dies at its nth call: before the call took effect, or
 * after. `calls.left` counts down, and is below zero when it has died.
 */
export function dying<Part extends object>(
  part: Part,
  calls: { left: number },
  when: 'before' | 'after',
): Part {
  return new Proxy(part, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      return async (...args: unknown[]) => {
        if (calls.left < 0) throw new Error('dead')
        calls.left -= 1
        const dies = calls.left < 0
        if (dies && when === 'before') throw new Error('dead')
        const result: unknown = await method.apply(target, args)
        if (dies) throw new Error('dead')
        return result
      }
    },
  })
}

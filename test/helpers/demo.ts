import { startProcess } from './gatewatch.ts'

/** The demo as `npm run demo` starts it, in a folder and on a port of its own. */
export async function startDemo() {
  const demo = await startProcess({ args: ['demo'], firstStart: true })
  if (demo.loginUrl === undefined) throw new Error('the demo printed no address to sign in')
  return { ...demo, loginUrl: demo.loginUrl }
}

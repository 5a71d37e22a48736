import type { GatewatchProcess } from '../../helpers/gatewatch.ts'

export interface DemoAddress {
  readonly url: string
  /** Opens a session, once. */
  readonly loginUrl: string
  /** Absent for a demo that others started. */
  readonly process?: GatewatchProcess
  stop(): Promise<void>
}

/** Where a demo runs that others started: `GATEWATCH_E2E_LOGIN_URL` signs in to it. */
export const foreignDemo = (): string | undefined => process.env['GATEWATCH_E2E_LOGIN_URL']

/** The demo that the tests look at: their own, or the foreign one. */
export async function demoAddress(): Promise<DemoAddress> {
  const loginUrl = foreignDemo()
  if (loginUrl === undefined) {
    const { startDemo } = await import('../../helpers/demo.ts')
    const demo = await startDemo()
    return { url: demo.url, loginUrl: demo.loginUrl, process: demo, stop: demo.stop }
  }
  return { url: new URL(loginUrl).origin, loginUrl, stop: async () => {} }
}

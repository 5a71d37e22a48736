import type { Command } from 'commander'
import { loadConfig } from '../../config/config.ts'
import { readRunFile } from '../../run-file.ts'
import { type AccessFlags, openAccess } from '../access.ts'
import { addAccessOptions, numberBetween } from '../options.ts'
import { createOutput } from '../output.ts'

interface TokenFlags extends AccessFlags {
  readonly login?: boolean
  readonly ttl: number
  readonly capabilities?: string
  readonly source?: string
  readonly revoke?: string
  readonly json?: boolean
}

export function addTokenCommand(program: Command): void {
  addAccessOptions(program.command('token'))
    .option('--login', 'print an address that signs a browser in once, instead of a token')
    .option('--capabilities <LIST>', 'what the token may do, such as events:write (default: everything)')
    .option('--source <NAME>', 'bind the token to a source of records, such as a gateway')
    .option('--revoke <TOKEN>', 'take a token back before its end')
    .option('--ttl <SECONDS>', 'how long the token is valid, at most 300', numberBetween(1, 300), 300)
    .description('Make a short-lived token for the API of a running gatewatch.')
    .action(async (flags: TokenFlags) => {
      const output = createOutput({ json: flags.json ?? false })
      const access = await openAccess(flags)
      try {
        if (flags.revoke !== undefined) {
          await access.post('/v1/token/revoke', { token: flags.revoke })
          output.json({ revoked: true })
          output.note('taken back')
          return
        }
        if (flags.login) {
          const ticket = await access.post<{ path: string; expires_at: string }>('/v1/login-tickets', {})
          const base = flags.url ?? readRunFile(loadConfig(flags).data)?.url ?? ''
          output.json({ login_url: `${base}${ticket.path}`, expires_at: ticket.expires_at })
          output.line(`${base}${ticket.path}`)
          return
        }
        const minted = await access.post<{ token: string; expires_at: string }>('/v1/token', {
          ttl_seconds: flags.ttl,
          ...(flags.source ? { source: flags.source } : {}),
          ...(flags.capabilities ? { capabilities: flags.capabilities.split(',') } : {}),
        })
        output.json(minted)
        output.line(minted.token)
        output.note(`valid until ${minted.expires_at}`)
      } finally {
        await access.close()
      }
    })
}

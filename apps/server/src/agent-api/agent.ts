// agent.*: the first call of a connection, presence, and the stream of orders.
import { z } from 'zod'
import {
  AgentHeartbeat,
  AgentHello,
  AgentOrder,
  AgentWelcome,
  HeartbeatAnswer,
  OfferKey,
} from '@restic-manager/contract/agent'
import { toInstant } from '@restic-manager/contract/scalars'
import { offerKey } from '../fleet/host-keys.ts'
import { greetAgent } from '../fleet/hello.ts'
import { nextOrders, nothingSent } from '../fleet/orders.ts'
import { lookForOrders } from '../fleet/slow-look.ts'
import { ordersGiven } from '../metrics.ts'
import { version } from '../version.ts'
import type { AgentContext } from '../context.ts'
import { unlessOutage } from '../db/outage.ts'
import { helloProcedure, procedure, router } from './trpc.ts'

export const agentNoun = router({
  hello: helloProcedure
    .input(AgentHello)
    .output(AgentWelcome)
    .mutation(async ({ ctx, input }) => {
      const welcome = await greetAgent(ctx.db, ctx.host, input, {
        serverVersion: version,
        timing: ctx.timing,
        log: ctx.log,
      })
      ctx.connection.spoolEpoch = input.spoolEpoch
      ctx.presence.arrived(ctx.host, ctx.closed)
      const logBytesPerSecond = ctx.logIntake.bytesPerSecond()
      return { ...welcome, limits: { ...welcome.limits, logBytesPerSecond } }
    }),

  heartbeat: procedure
    .input(AgentHeartbeat)
    .output(HeartbeatAnswer)
    .mutation(({ ctx, input }) => {
      const now = Date.now()
      ctx.presence.heard(ctx.host, { spool: input.spool, skewMs: Date.parse(input.sentAt) - now })
      return { serverTime: toInstant(now) }
    }),

  offerKey: procedure
    .input(OfferKey)
    .output(z.void())
    .mutation(({ ctx, input }) => offerKey(ctx.db, ctx.host, input.publicKey)),

  orders: procedure.subscription(({ ctx, signal = ctx.closed }) => tellOrders(ctx, signal)),
})

/** Whatever this connection was not told yet, as it comes. A database that is away for a while only makes it wait. */
async function* tellOrders(
  ctx: Omit<AgentContext, 'presence'>,
  until: AbortSignal,
): AsyncGenerator<AgentOrder> {
  const sent = nothingSent()
  const wakeups = ctx.bus.wakeups([{ topic: 'orders', id: ctx.host.id }], until, reader =>
    lookForOrders(ctx.db, ctx.host, sent, reader),
  )
  for await (const _ of wakeups) {
    do {
      const orders = await unlessOutage(() => nextOrders(ctx.db, ctx.seal, ctx.host, sent, ctx.release))
      if (orders === undefined) break
      for (const order of orders) {
        if (until.aborted) return
        await ctx.room()
        ordersGiven.inc({ order: order.order })
        yield AgentOrder.parse(order)
      }
      ctx.connection.place?.told('orders')
    } while (sent.hasMore)
  }
}

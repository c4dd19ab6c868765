// repositories.*: where backups go, who may use each, and whether it can be reached.
import { z } from 'zod'
import { Id } from '@restic-manager/contract/ids'
import {
  RepositoryCreateRequest,
  RepositoryRemoveRequest,
  RepositoryRequest,
  RepositorySizesRequest,
  RepositoryTestRequest,
  RepositoryUpdateRequest,
} from '@restic-manager/contract/requests'
import { RepositorySizes } from '@restic-manager/contract/overview'
import { RepositorySecrets, RepositoryView } from '@restic-manager/contract/views'
import { runJob } from '../fleet/jobs.ts'
import { createRepository, removeRepository, updateRepository } from '../fleet/repositories.ts'
import { listRepositories, viewRepository } from '../fleet/repository-views.ts'
import { revealSecrets } from '../fleet/revealed-secrets.ts'
import { sizesOfRepository } from '../fleet/storage-growth.ts'
import { admin, operator, router, viewer } from './trpc.ts'

/** `password`: the minted one, shown this once for the recovery kit; null when the caller chose it. */
const NewRepository = z.object({ repositoryId: Id, password: z.string().nullable() })

export const repositoriesRouter = router({
  /** All repositories. Never a secret in it. */
  list: viewer({ of: 'fleet' })
    .output(z.array(RepositoryView))
    .query(({ ctx }) => listRepositories(ctx.db, ctx.scope, ctx.timing)),
  /** One repository. Never a secret in it. */
  get: viewer({ input: RepositoryRequest, of: { repositoryId: 'repository' } })
    .output(RepositoryView)
    .query(({ ctx, input }) => viewRepository(ctx.db, input.repositoryId, ctx)),
  /** How large a repository was, in bytes by day (UTC), from what its hosts measured. Empty until somebody has. */
  sizes: viewer({ input: RepositorySizesRequest, of: { repositoryId: 'repository' } })
    .output(RepositorySizes)
    .query(({ ctx, input }) => sizesOfRepository(ctx.db, input)),
  /**
   * Adds a repository and tells its hosts. Without a password one is minted, and answered this once.
   * @throws name_taken risk_not_accepted host_not_found refused_by_policy
   */
  create: admin({
    input: RepositoryCreateRequest,
    of: { hostIds: 'own hosts', maintenanceHostId: 'host' },
    makes: { kind: 'repository', field: 'repositoryId' },
  })
    .output(NewRepository)
    .mutation(({ ctx, input }) =>
      createRepository(ctx.db, ctx.seal, input, { requestedBy: ctx.principal.email }),
    ),
  /**
   * Changes a repository, and tells its hosts. A secret that is left out stays as it is.
   * @throws name_taken risk_not_accepted host_not_found refused_by_policy
   */
  // Another address, or another host with access, would be told the secrets that are kept here.
  update: admin({
    input: RepositoryUpdateRequest,
    of: { repositoryId: 'shared repository', hostIds: 'own hosts', maintenanceHostId: 'host' },
    fresh: true,
  })
    .output(z.void())
    .mutation(({ ctx, input }) =>
      updateRepository(ctx.db, ctx.seal, input, {
        requestedBy: ctx.principal.email,
        afterwards: ctx.afterwards,
        ...ctx.timing,
      }),
    ),
  /**
   * Forgets a repository and takes its secrets from its hosts. Its data stays where it is.
   * @throws repository_in_use
   */
  remove: admin({
    input: RepositoryRemoveRequest,
    of: { repositoryId: 'shared repository' },
    fresh: true,
  })
    .output(z.void())
    .mutation(({ ctx, input }) => removeRepository(ctx.db, input)),
  /** The password and the address, for the recovery kit. Written down in the audit log. */
  // A mutation, so that no cache keeps it and the audit log says who asked.
  reveal: admin({
    input: RepositoryRequest,
    of: { repositoryId: 'shared repository' },
    fresh: true,
    reveals: true,
  })
    .output(RepositorySecrets)
    .mutation(({ ctx, input }) => revealSecrets(ctx.db, ctx.seal, input)),
  /**
   * Orders a job that tries whether the host reaches and opens the repository. It changes nothing there.
   * @throws repository_not_on_host
   */
  test: operator({
    input: RepositoryTestRequest,
    of: { repositoryId: 'repository', hostId: 'host' },
    makes: { kind: 'job', field: 'jobId' },
  })
    .output(z.object({ jobId: Id }))
    .mutation(({ ctx, input }) =>
      runJob(
        ctx.db,
        { ...input, kind: 'probe', spec: {} },
        { requestedBy: ctx.principal.email, ...ctx.timing },
      ),
    ),
})

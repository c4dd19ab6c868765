// What each kind of storage asks for, in words: labels, examples and help of the repository form.
import type { BackendKind } from '@restic-manager/contract/repository'

type Field = { label: string; example?: string; help?: string }
/** `lines`: the secret is a text of several lines, pasted from a file. */
type Secret = Field & { lines?: true }

export type BackendForm = {
  /** Below the name of the storage, in its tile. */
  below: string
  bucket?: Field
  place?: Field
  username?: Field
  credential?: Secret
}

const folder: Field = { label: 'Folder in it', example: 'atlas' }

/** Fields that are missing are not asked for. */
export const backendForms: Record<BackendKind, BackendForm> = {
  local: {
    below: 'a disk or mount of the host',
    place: {
      label: 'Folder on the host',
      example: '/var/backups/restic',
      help: 'Created if it is not there. On another disk than what is backed up, if you can.',
    },
  },
  rest: {
    below: 'restic’s own server',
    place: {
      label: 'Address',
      example: 'https://backup.example.com:8000/atlas/',
      help: 'Without user name and password: they have their own fields.',
    },
    username: { label: 'User name' },
    credential: { label: 'Password of the REST server' },
  },
  sftp: {
    below: 'any SSH server',
    place: {
      label: 'Address',
      example: 'backup@vault.example.net:/srv/restic',
      help: 'Signs in with an SSH key of the host, without a question. The host must know the server: connect once by hand first. With a port: //backup@vault.example.net:2222//srv/restic.',
    },
  },
  s3: {
    below: 'Amazon, MinIO, Wasabi',
    bucket: { label: 'Bucket and folder', example: 'acme-backup/atlas' },
    username: { label: 'Access key id' },
    credential: { label: 'Secret access key' },
  },
  b2: {
    below: 'buckets of Backblaze',
    bucket: { label: 'Bucket', example: 'acme-backup' },
    place: folder,
    username: { label: 'Key id', help: 'Of an application key for this bucket only.' },
    credential: { label: 'Application key' },
  },
  azure: {
    below: 'Blob Storage containers',
    bucket: { label: 'Container', example: 'backups' },
    place: { ...folder, example: '/atlas' },
    username: { label: 'Storage account' },
    credential: {
      label: 'Account key or SAS token',
      help: 'A SAS token for this container can do less harm.',
    },
  },
  gs: {
    below: 'Cloud Storage buckets',
    bucket: { label: 'Bucket', example: 'acme-backups' },
    place: { ...folder, example: '/atlas' },
    username: { label: 'Project id', help: 'Only needed where the bucket does not exist yet.' },
    credential: {
      label: 'Key of a service account',
      example: '{ "type": "service_account", … }',
      help: 'The JSON file, as it was downloaded.',
      lines: true,
    },
  },
  rclone: {
    below: 'Drive, Dropbox, WebDAV',
    bucket: { label: 'Remote', example: 'vault' },
    place: { ...folder, example: 'hosts/atlas' },
    credential: {
      label: 'Configuration of the remote',
      example: 'type = webdav\nurl = https://dav.example.com\nuser = backup\npass = …',
      help: 'What “rclone config show” prints for it. Leave it empty where the hosts have this remote in a configuration of their own. They need rclone either way.',
      lines: true,
    },
  },
}

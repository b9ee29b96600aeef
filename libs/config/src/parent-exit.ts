/**
 * Calls back once when the process that started this one is gone, however it went: the channel between them (`stdio: 'ipc'`) is closed by the
 * operating system even when the parent was killed. Does nothing in a process that was started without such a channel.
 */
export function onParentExit(callback: () => void): void {
  if (process.channel === undefined) return;
  process.once('disconnect', callback);
  // The channel alone must not keep a process alive that has nothing else to do.
  process.channel?.unref();
}

export const PHASES = ['SETUP', 'EXECUTION', 'VALIDATION', 'CLEANUP'] as const;

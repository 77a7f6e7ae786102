/** What a scenario and a test may be played on; in a file of its own, which the command loads for its help. */
export const SCENARIO_ENGINES = ['processes', 'docker', 'packed'] as const;
export const SCENARIO_CLOCKS = ['real', 'virtual'] as const;

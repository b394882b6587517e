"""What a synthetic athlete is: body, habits, watch."""

from dataclasses import dataclass

from include.garmin.synthetic.chance import Chance


@dataclass(frozen=True)
class Profile:
    """One athlete. Rates are per day, loads in Garmin's training-load points."""

    number: int
    untrained_vo2max: float
    gain: float
    """Share that full training adds to the untrained VO2max."""
    half_load: float
    """Daily load (38-day mean) at which 63 % of the gain is reached."""
    resting_hr_bpm: float
    max_hr_bpm: float
    hrv_ms: float
    run_min: float
    """Length of an ordinary run."""
    runs_per_week: float
    others_per_week: float
    utc_offset_h: int
    trail_share: float
    treadmill_share: float
    other_sports: tuple[str, ...]
    is_precise: bool
    """Garmin tells VO2max in steps of 0.1, by day; else whole numbers, with the activity."""
    has_load: bool
    """The watch tells training load and time in heart-rate zones."""
    has_cycling_vo2max: bool
    recompute_rate: float
    """Share of eligible runs after which a new VO2max is told."""
    device_noise: float
    """Standard deviation of one run's raw estimate, ml/kg/min."""

    @property
    def athlete_id(self) -> str:
        return f"athlete-{self.number + 1:02d}"


def draw_profile(number: int, chance: Chance) -> Profile:
    """The athlete with this number: traits that a test or a demonstration needs recur every twelve athletes."""
    rng = chance.traits()
    runs = float(rng.uniform(2.2, 5.5))
    kind = number % 12
    return Profile(
        number=number,
        untrained_vo2max=float(rng.uniform(34, 48)),
        gain=float(rng.uniform(0.22, 0.34)),
        half_load=float(rng.uniform(22, 34)),
        resting_hr_bpm=float(rng.uniform(44, 62)),
        max_hr_bpm=float(rng.uniform(174, 198)),
        hrv_ms=float(rng.uniform(38, 95)),
        run_min=float(rng.uniform(36, 62)),
        runs_per_week=runs,
        others_per_week=float(rng.uniform(0.6, 3.0)),
        utc_offset_h=int(rng.integers(-8, 10)),
        trail_share=float(rng.choice([0.0, 0.08, 0.3])),
        treadmill_share=float(rng.choice([0.0, 0.05, 0.15])),
        other_sports=(
            ("cycling", "cycling", "indoor_cycling", "strength_training")
            if kind % 4 == 1
            else ("strength_training", "walking", "lap_swimming", "cycling")
        ),
        is_precise=kind % 3 == 0,
        has_load=kind % 4 != 2,
        has_cycling_vo2max=kind % 4 == 1,
        recompute_rate=0.07 if kind == 7 else 0.2 if kind == 10 else float(rng.uniform(0.55, 0.95)),
        device_noise=float(rng.uniform(1.0, 2.2)),
    )

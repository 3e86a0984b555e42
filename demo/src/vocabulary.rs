//! The words of which names, places and records are made.

use super::chance::Chance;
use super::province::Sector;

const BRANDS: [&str; 48] = [
    "恒力",
    "新盛",
    "金泰",
    "华宇",
    "永安",
    "宏达",
    "东升",
    "瑞丰",
    "天成",
    "振兴",
    "海纳",
    "中兴",
    "嘉诚",
    "万通",
    "鑫源",
    "正大",
    "龙腾",
    "凯越",
    "佳和",
    "长青",
    "锦程",
    "远大",
    "润泽",
    "博纳",
    "越华",
    "新昌盛",
    "浙丰",
    "双马",
    "三鼎",
    "九洲",
    "百川",
    "千禧",
    "金鹰",
    "飞跃",
    "向阳",
    "红星",
    "兴业",
    "联合",
    "立信",
    "顺达",
    "同济",
    "创元",
    "科环",
    "德力",
    "安泰",
    "荣光",
    "富源",
    "明珠",
];

const ROADS: [&str; 16] = [
    "工业大道",
    "创业路",
    "滨江路",
    "人民路",
    "环城东路",
    "兴港路",
    "园区一路",
    "临港大道",
    "中山路",
    "解放路",
    "江南大道",
    "振兴路",
    "科技路",
    "东海大道",
    "茶山路",
    "新城大道",
];

const SURNAMES: [&str; 40] = [
    "王", "李", "张", "陈", "吴", "徐", "周", "林", "朱", "胡", "沈", "叶", "金", "郑", "潘", "俞", "方", "何", "黄",
    "蒋", "章", "钱", "余", "戴", "楼", "应", "卢", "毛", "施", "厉", "骆", "傅", "葛", "童", "项", "倪", "邵", "洪",
    "董", "范",
];

const GIVEN_NAMES: [&str; 50] = [
    "建国", "志强", "海燕", "晓峰", "丽娟", "国平", "伟民", "永明", "雪芳", "文斌", "军", "杰", "敏", "磊", "洁",
    "志刚", "春华", "秋月", "立新", "卫东", "建华", "晓东", "海波", "国强", "小龙", "佳琪", "雨欣", "浩然", "子涵",
    "思远", "宏伟", "利民", "忠良", "康宁", "瑞英", "美玲", "向东", "永康", "正华", "世杰", "泽民", "乐天", "广平",
    "华锋", "一帆", "明亮", "爱国", "新宇", "思琪", "俊杰",
];

pub(super) fn brand(chance: &mut Chance) -> &'static str {
    chance.pick(&BRANDS)
}

pub(super) fn road(chance: &mut Chance) -> &'static str {
    chance.pick(&ROADS)
}

/// The `number`-th expert of a staff: different numbers below 2,000 give different names, because a
/// name shared by two people of one agency would look like one person in two places.
pub(super) fn expert_name(staff: usize, number: usize) -> String {
    let place = (staff * 271 + number * 7) % (SURNAMES.len() * GIVEN_NAMES.len());
    format!("{}{}", SURNAMES[place % SURNAMES.len()], GIVEN_NAMES[place / SURNAMES.len()])
}

/// What a firm of the sector calls its trade, and its class in GB/T 4754.
pub(super) fn trade(chance: &mut Chance, sector: Sector) -> (&'static str, &'static str) {
    let trades: &[(&str, &str)] = match sector {
        Sector::Mine => &[("矿业", "1011"), ("石料", "1011"), ("萤石矿", "1092"), ("建材矿山", "1019")],
        Sector::Hazchem => {
            &[("化工", "2614"), ("精细化工", "2662"), ("气体", "2619"), ("石化", "2511"), ("涂料", "2641")]
        }
        Sector::Fireworks => &[("烟花爆竹经营", "5129"), ("日杂烟花", "5219")],
        Sector::Transport => {
            &[("物流", "5431"), ("运输", "5431"), ("危货运输", "5435"), ("客运", "5422"), ("港口服务", "5532")]
        }
        Sector::Construction => &[("建设", "4710"), ("市政工程", "4819"), ("安装工程", "4910")],
        Sector::CivilExplosives => &[("民爆器材", "2672"), ("爆破服务", "4892")],
        Sector::Metallurgy => {
            &[("铜业", "3211"), ("铝业", "3216"), ("钢铁", "3130"), ("铸造", "3391"), ("金属制品", "3392")]
        }
        Sector::Fishery => &[("渔业", "0412"), ("远洋渔业", "0412")],
        Sector::Other => &[
            ("机械", "3484"),
            ("纺织", "1761"),
            ("电器", "3857"),
            ("塑业", "2927"),
            ("食品", "1439"),
            ("家具", "2110"),
            ("印务", "2319"),
            ("服饰", "1819"),
            ("仓储", "5990"),
            ("商贸", "5299"),
        ],
    };
    chance.pick(trades)
}

/// What an inspection finds, worded as an expert would enter it.
pub(super) fn hazard_category(chance: &mut Chance, sector: Sector) -> &'static str {
    const EVERYWHERE: [&str; 10] = [
        "电气线路私拉乱接",
        "消防通道堵塞",
        "灭火器失效",
        "安全警示标志缺失",
        "未佩戴劳动防护用品",
        "应急预案未演练",
        "特种作业无证上岗",
        "配电箱未接地",
        "安全教育记录不全",
        "有限空间管理不到位",
    ];
    let own: &[&str] = match sector {
        Sector::Mine => &["边坡浮石未清理", "排土场截水沟淤堵", "爆破警戒距离不足", "边坡角超设计"],
        Sector::Hazchem => {
            &["可燃气体报警器失效", "动火作业未审批", "储罐液位联锁停用", "禁忌物料混存", "静电接地不良"]
        }
        Sector::Fireworks => &["超量储存", "库房防潮失效", "与明火距离不足"],
        Sector::Transport => &["驾驶员疲劳驾驶", "车辆轮胎磨损超限", "动态监控脱管", "危货罐体检验过期"],
        Sector::Construction => {
            &["临边防护缺失", "脚手架连墙件不足", "深基坑支护变形", "塔吊限位失灵", "模板支撑不合格"]
        }
        Sector::CivilExplosives => &["雷管与炸药混放", "库区防雷失效"],
        Sector::Metallurgy => &["煤气报警器未校验", "熔炼炉冷却水无联锁", "吊运熔融金属钢丝绳断丝", "除尘系统积尘"],
        Sector::Fishery => &["救生衣配备不足", "通导设备失效", "机舱油污", "超航区作业", "冷库制冷剂泄漏"],
        Sector::Other => &["粉尘清扫不及时", "冲压设备无双手启动", "行车限位失效", "危化品暂存超量"],
    };
    if chance.yes(0.55) { chance.pick(own) } else { chance.pick(&EVERYWHERE) }
}

/// What was looked at; some of it needs quoting in a CSV file, as real remarks do.
pub(super) fn service_items(chance: &mut Chance) -> &'static str {
    chance.pick(&[
        "现场隐患排查",
        "用电安全检查;消防检查",
        "设备设施,作业环境,管理资料",
        "全员安全培训",
        "双重预防机制辅导",
        "应急演练",
        "风险分级管控\"四色图\"",
        "台账检查\n现场检查",
        "危化品储存专项检查",
        "有限空间作业指导",
    ])
}

pub(super) fn service_measures(chance: &mut Chance) -> &'static str {
    chance.pick(&[
        "限期整改",
        "更换线路,加装漏保",
        "补充警示标志",
        "建立教育台账",
        "停用并维修",
        "完善应急预案",
        "已现场整改",
        "清理通道;补配灭火器",
    ])
}

pub(super) fn complaint_kind(chance: &mut Chance) -> &'static str {
    chance.pick(&["理赔时效", "理赔金额", "服务未开展", "服务质量", "承保条件", "销售误导", "退保纠纷"])
}

pub(super) fn roster_reason(chance: &mut Chance) -> &'static str {
    chance.pick(&["年度核定", "取得许可", "新开办", "专项排查纳入", "属地上报"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_experts_of_one_staff_share_a_name() {
        let names: BTreeSet<String> = (0..2_000).map(|number| expert_name(17, number)).collect();
        assert_eq!(names.len(), 2_000);
    }
}
